"""Run config that takes one of several forms, each under its name: `{"ridge": {"alpha": 3.0}}`."""

import functools
import operator
from collections.abc import Mapping
from typing import Any, Literal

import dagster as dg
import pydantic

TOLD_BY = "form_name"  # the field by which pydantic tells the forms apart; no person sees it


def one_of(
    forms: Mapping[str, type[dg.Config]], first: str, description: str, **filled: Any
) -> tuple[Any, Any]:
    """The annotation and the field of such a choice, for `pydantic.create_model`.

    A launchpad starts from the form `first`, with its defaults and what is `filled` in.
    """
    if len(forms) == 1:  # no union to pydantic: a form whose only field is that one form
        start = forms[first](**filled)
        fields: dict[str, Any] = {first: (forms[first], pydantic.Field(default=start))}
        only: Any = pydantic.create_model("OnlyForm", __base__=dg.Config, **fields)
        return only, pydantic.Field(default=only(), description=description)
    told = {name: _told(form, name) for name, form in forms.items()}
    union: Any = functools.reduce(operator.or_, told.values())
    return union, pydantic.Field(
        default=told[first](**filled), discriminator=TOLD_BY, description=description
    )


def _told(form: type[dg.Config], name: str) -> Any:
    """The same form with its name as a field."""
    literal: Any = Literal
    fields: dict[str, Any] = {TOLD_BY: (literal[name], name)}
    return pydantic.create_model(form.__name__, __base__=form, __doc__=form.__doc__, **fields)


def chosen(choice: dg.Config) -> tuple[str, dict[str, Any]]:
    """The name of the form that was taken, and the values in it."""
    values = choice.model_dump(mode="json")
    if TOLD_BY in values:
        return values.pop(TOLD_BY), values
    [(name, values)] = values.items()
    return name, values
