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


def refuse_flags_as_sent(
    config: dg.Config, context: dg.AssetExecutionContext | dg.OpExecutionContext
) -> None:
    """Failure where a run config has a flag for a number, as it was sent.

    Dagster takes `true` for 1.0 before a config is made of it.
    """
    run_config: Any = context.run.run_config
    sent = (run_config.get("ops") or {}).get(context.op_def.name) or {}
    try:
        _refuse(config, sent.get("config"), "")
    except ValueError as error:
        raise dg.Failure(f"Nothing was done: {error}", allow_retries=False) from error


def _refuse(config: Any, sent: Any, path: str) -> None:
    if isinstance(config, list | tuple) and isinstance(sent, list):
        for number, (inner, value) in enumerate(zip(config, sent, strict=False)):
            _refuse(inner, value, f"{path}[{number}]")
    if not isinstance(config, dg.Config) or not isinstance(sent, dict):
        return
    for name, value in sent.items():
        place = f"{path}.{name}" if path else name
        field = type(config).model_fields.get(name)
        if field is None:
            _refuse(config, value, place)  # one of several forms, under its name
            continue
        inner = getattr(config, name)
        if isinstance(inner, dg.Config | list | tuple):
            _refuse(inner, value, place)
            continue
        try:
            refuse_flags(value, field.annotation)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from error


class RunConfig(dg.Config):
    """A setting without a value is left out, and a flag is no number."""

    checked = pydantic.field_validator("*", mode="before")(left_out_or_meant)

    @property
    def in_one_go(self) -> bool:
        """Whether it asks for what is done with all partitions of a run at once."""
        return False
