"""What every run config of this package has in common."""

from typing import Any

import dagster as dg
import pydantic

from mlops_assets.ml.settings import refuse_flags


def left_out_or_meant(cls: type[dg.Config], value: Any, info: pydantic.ValidationInfo) -> Any:
    """A value for a field: its default where there is none; ValueError for a flag as a number."""
    field = cls.model_fields[str(info.field_name)]
    if value is None and not field.is_required():
        return field.get_default(call_default_factory=True, validated_data={})
    return refuse_flags(value, field.annotation)


class RunConfig(dg.Config):
    """A setting without a value is left out, and a flag is no number."""

    checked = pydantic.field_validator("*", mode="before")(left_out_or_meant)

    @property
    def in_one_go(self) -> bool:
        """Whether it asks for what is done with all partitions of a run at once."""
        return False
