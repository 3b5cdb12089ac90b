"""A form of several: which one was taken, what is filled in, and what the launchpad refuses."""

from typing import Any

import dagster as dg
import pydantic
import pytest

from mlops_assets.jobs.management.one_of import Form, chosen, one_of


class Round(dg.Config):
    """A circle."""

    radius: float = 2.0


class Long(dg.Config):
    """A line."""

    length: int | None = None
    dashed: bool = False


class Drawn(dg.Config):
    """A form within a form."""

    inner: Round | None = None


FORMS = {"round": Form(Round), "long": Form(Long)}
SINGLE = {"round": Form(Round)}


def asked(forms: dict[str, Form], config: dict[str, Any], **filled: Any) -> Any:
    """What an op makes of its run config."""
    config_type = pydantic.create_model(
        "Asked", __base__=dg.Config, shape=one_of(forms, "round", "What is drawn.", **filled)
    )

    @dg.op
    def draw(config: config_type) -> tuple[str, dict[str, Any]]:  # type: ignore[valid-type]
        return chosen(config.shape)  # type: ignore[attr-defined]

    @dg.job
    def drawing() -> None:
        draw()

    result = drawing.execute_in_process(run_config={"ops": {"draw": {"config": config}}})
    return result.output_for_node("draw")


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({}, ("round", {"radius": 2.0})),
        ({"shape": {"round": {"radius": 3.0}}}, ("round", {"radius": 3.0})),
        ({"shape": {"round": {}}}, ("round", {"radius": 2.0})),
        # as YAML reads `long:` with nothing after it
        ({"shape": {"long": None}}, ("long", {"length": None, "dashed": False})),
        ({"shape": {"long": {"length": 4}}}, ("long", {"length": 4, "dashed": False})),
    ],
)
def test_the_form_that_is_named_is_taken(config: dict[str, Any], found: tuple[str, Any]) -> None:
    assert asked(FORMS, config) == found


@pytest.mark.parametrize("forms", [FORMS, SINGLE])
def test_it_starts_from_what_is_filled_in(forms: dict[str, Form]) -> None:
    assert asked(forms, {}, radius=7.0) == ("round", {"radius": 7.0})


@pytest.mark.parametrize("config", [{}, {"shape": {}}, {"shape": {"round": {"radius": 2.0}}}])
def test_a_single_form_is_written_like_one_of_several(config: dict[str, Any]) -> None:
    assert asked(SINGLE, config) == ("round", {"radius": 2.0})


@pytest.mark.parametrize("forms", [FORMS, SINGLE])
@pytest.mark.parametrize(
    "shape", [{"square": {}}, {"round": {"length": 4}}, {"round": {}, "other": {}}, {"round": "x"}]
)
def test_what_is_no_form_never_starts(forms: dict[str, Form], shape: dict[str, Any]) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError):
        asked(forms, {"shape": shape})


def test_a_single_form_may_hold_another_that_would_be_filled_in() -> None:
    forms = {"drawn": Form(Drawn)}
    config_type = pydantic.create_model(
        "Asked", __base__=dg.Config, shape=one_of(forms, "drawn", "What is drawn.", inner={})
    )
    schema = config_type.to_config_schema().as_field()  # type: ignore[attr-defined]
    assert list(schema.config_type.fields["shape"].config_type.fields) == ["drawn"]
