"""Run config that takes one of several forms, each under its name: `{"ridge": {"alpha": 3.0}}`."""

import functools
import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import dagster as dg
import pydantic

TOLD_BY = "form_name"  # the field by which pydantic tells the forms apart; no person sees it


@dataclass(frozen=True)
class Form:
    """The fields of a config class, and further ones as `pydantic.create_model` takes them."""

    base: type[dg.Config]
    description: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)

    def made(self, **more: Any) -> Any:
        """The form as a class."""
        fields: dict[str, Any] = {**self.fields, **more}
        name = self.base.__name__
        return pydantic.create_model(name, __base__=self.base, __doc__=self.description, **fields)


def one_of(
    forms: Mapping[str, Form], first: str, description: str, **filled: Any
) -> tuple[Any, Any]:
    """The annotation and the field of such a choice, for `pydantic.create_model`.

    A launchpad starts from the form `first`, with its defaults and what is `filled` in.
    """
    if len(forms) == 1:  # no union to pydantic: a form whose only field is that one form
        inner = forms[first].made()
        # Dagster takes no form within the default of a form
        plain = {name: value for name, value in filled.items() if not isinstance(value, Mapping)}
        only = Form(dg.Config, fields={first: (inner, inner(**plain))}).made()
        return only, pydantic.Field(default=only(), description=description)
    literal: Any = Literal
    told = {name: form.made(**{TOLD_BY: (literal[name], name)}) for name, form in forms.items()}
    union: Any = functools.reduce(operator.or_, told.values())
    return union, pydantic.Field(
        default=told[first](**filled), discriminator=TOLD_BY, description=description
    )


def chosen(choice: dg.Config) -> tuple[str, dict[str, Any]]:
    """The name of the form that was taken, and the values in it."""
    values = choice.model_dump(mode="json")
    if TOLD_BY in values:
        return values.pop(TOLD_BY), values
    [(name, values)] = values.items()
    return name, values
