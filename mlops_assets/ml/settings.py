"""What every section of the settings is made of: its base class, and types that several share."""

import ast
import inspect
import operator
import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Self, get_args

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


def refuse_flags(value: Any, annotation: Any) -> Any:
    """A value as it is; ValueError where it is, or holds, a flag and no flag is meant."""
    kinds = _kinds(annotation)
    if bool in kinds or not {int, float} & kinds:
        return value
    inner = [value]
    while inner:
        one = inner.pop()
        if isinstance(one, bool):
            raise ValueError(f"{str(one).lower()} is no number")
        inner += one.values() if isinstance(one, dict) else one if isinstance(one, list) else []
    return value


@cache
def _kinds(annotation: Any) -> frozenset[Any]:
    """The types that an annotation is made of."""
    inner = [_kinds(part) for part in get_args(annotation) if not isinstance(part, str | int)]
    return frozenset({annotation}).union(*inner)


def distinct(values: list[Any]) -> list[Any]:
    repeated = sorted({str(value) for value in values if values.count(value) > 1})
    if repeated:
        raise ValueError(f"named more than once: {', '.join(repeated)}")
    return values


Identifier = Annotated[str, AfterValidator(_identifier)]
Days = Annotated[int, Field(ge=1, le=MOST_DAYS)]
Column = Annotated[str, Field(min_length=1)]
Columns = Annotated[list[Column], AfterValidator(distinct)]


# Files say what settings they were made by: one that is not used says nothing there.
UNLESS_EMPTY = Field(exclude_if=operator.not_)
UNLESS_DEFAULT = Field(exclude_if=lambda value: value == type(value)())


class NoFlags(BaseModel):
    """Takes no flag for a number, as pydantic does: YAML reads `yes`, `on` and `true` as flags."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @pydantic.field_validator("*", mode="before")
    @classmethod
    def _no_flag_for_a_number(cls, value: Any, info: pydantic.ValidationInfo) -> Any:
        return refuse_flags(value, cls.model_fields[str(info.field_name)].annotation)


class Section(BaseModel):
    """What every section is; those that pydantic tells apart by a field are just this."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Settings(NoFlags, Section):
    """A section."""


def descriptions(section: type[Section]) -> dict[str, str]:
    """What is written below each setting of a section, read from the source once it is asked for.

    With `use_attribute_docstrings`, pydantic would read all of it whenever the settings are
    imported, and that takes it longer than the rest of importing them.
    """
    found: dict[str, str] = {}
    for known in reversed(section.__mro__):
        if issubclass(known, Section):
            found |= _written(inspect.getfile(known)).get(known.__name__, {})
    return found


@cache
def _written(file: str) -> dict[str, dict[str, str]]:
    """Of each class of a file, the text below each annotated name."""
    found: dict[str, dict[str, str]] = {}
    for definition in ast.parse(Path(file).read_text(encoding="utf-8")).body:
        if isinstance(definition, ast.ClassDef):
            texts = found.setdefault(definition.name, {})
            for above, below in pairwise(definition.body):
                match above, below:
                    case (
                        ast.AnnAssign(target=ast.Name(id=name)),
                        ast.Expr(value=ast.Constant(value=str(text))),
                    ):
                        texts[name] = inspect.cleandoc(text)
    return found


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
