"""What every section of the settings is made of: its base class, and types that several share."""

import re
from typing import Annotated, Any, Self

import pydantic
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,62}")
MOST_DAYS = 3640  # ten years of 52 weeks


def _identifier(value: str) -> str:
    if not IDENTIFIER.fullmatch(value):
        raise ValueError(
            f"{value!r} is no identifier: use lower-case letters, digits and underscores, "
            "a letter first, at most 63 characters"
        )
    return value


def distinct(values: list[Any]) -> list[Any]:
    repeated = sorted({str(value) for value in values if values.count(value) > 1})
    if repeated:
        raise ValueError(f"named more than once: {', '.join(repeated)}")
    return values


Identifier = Annotated[str, AfterValidator(_identifier)]
Days = Annotated[int, Field(ge=1, le=MOST_DAYS)]
Column = Annotated[str, Field(min_length=1)]
Columns = Annotated[list[Column], AfterValidator(distinct)]


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class WindowSettings(Settings):
    window_days: int
    min_days: int

    @pydantic.model_validator(mode="after")
    def _window_holds_the_days(self) -> Self:
        if self.min_days > self.window_days:
            raise ValueError(
                f"a window of {self.window_days} days never holds min_days of {self.min_days}"
            )
        return self
