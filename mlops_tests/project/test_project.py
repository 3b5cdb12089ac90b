"""Mistakes in the settings stop loading with one message that says where, what and what else."""

import copy
import tempfile
import traceback
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.project import (
    SCHEMA_FILE,
    ProjectError,
    json_schema,
    load_project,
)
from mlops_tests.small import PROJECT_FILE


def test_the_shipped_settings_load() -> None:
    project = load_project(PROJECT_FILE)
    assert project.longest_lag == 28
    assert project.non_negative
    assert project.inputs.seasonal == "units_lag_7"
    assert project.inputs.categorical == ("department", "category")
    assert "units" not in project.inputs.numeric


def test_the_schema_is_in_step_with_the_settings() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == json_schema(), "run: make schema"
    assert "project.schema.json" in PROJECT_FILE.read_text().splitlines()[0]


FILE = {"kind": "file", "path": "rows.csv"}
SQL = {"kind": "sql", "url_env": "SHOP_URL"}


def change(settings: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in parents:
        settings = settings[part]  # type: ignore[index]
    settings[last] = value  # type: ignore[index]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("colour", "red", "colour: unknown setting; allowed here: name, description"),
        ("training.window", 3, "training.window: unknown setting; allowed here: window_months"),
        ("name", "Retail Demand", "name: 'Retail Demand' is no identifier"),
        ("models.1.name", "../up", "models.1.name: '../up' is no identifier"),
        ("models.1.name", "tree", "models: 'tree' are the names of more than one model"),
        ("models.1.family", "xgb", "models.1.family: 'xgb'"),
        ("models.1.hyperparameters", {"alpha": 0}, "alpha = 0: Input should be greater than 0"),
        ("models.1.hyperparameters", {"beta": 1}, "unknown hyperparameter 'beta'; ridge takes"),
        ("expected", {"weekdays": []}, "expected.weekdays"),
        ("expected", {"weekdays": ["monday"]}, "'monday'"),
        ("expected", {"holidays": "XX"}, "no holidays are known of 'XX': write a country"),
        ("expected", {"holidays": "DE"}, "expected.holidays: a recording is replayed on other"),
        ("features.holidays", "DE-XX", "no holidays are known of 'DE-XX'; its parts are BB"),
        ("columns.time_of_day", ["hour"], "columns.time_of_day: 'hour' is used nowhere"),
        (
            "columns",
            {
                "date": "date",
                "target": "units",
                "series": ["department", "category", "hour"],
                "numeric": ["unit_price", "promotion"],
                "categorical": ["department", "category"],
                "time_of_day": ["hour"],
                "absent": "zero",
            },
            "columns.absent: zero is for one row a day and series; leave the time of day out",
        ),
        (
            "columns.date_parts",
            {"year": "y", "month": "m", "day": "units"},
            "columns.date_parts: 'units' is a part of the date, and named as another column",
        ),
        ("columns.time_of_day", ["minute"], "columns.time_of_day"),
        ("columns.missing", {"colour": ["-"]}, "columns.missing: 'colour' not among: "),
        ("columns.units", {"category": "kg"}, "columns.units: 'category' not among: "),
        ("columns.source_names", {"colour": "x"}, "columns.source_names: 'colour' not among: "),
        ("columns.source_names", {"units": "date"}, "'date' are read under two names"),
        ("columns.missing", {"units": []}, "columns.missing.units: "),
        ("evaluation.primary", "mape", "evaluation.primary: 'mape' not among: mae, wmape"),
        ("evaluation.metrics", ["mape"], "evaluation.metrics: 'mape'"),
        ("evaluation.slices", ["shop"], "evaluation.slices: 'shop' not among: department"),
        ("evaluation.baseline", "naive", "evaluation.baseline: 'naive' not among"),
        ("constraints", {"price": {}}, "constraints: 'price' not among: date, department"),
        ("constraints", {}, "tweedie_deviance needs a target of at least 0"),
        ("training.window_months", 11, "window_months: 11 months and the longest lag of 28 days"),
        ("training.window_months", "x", "training.window_months: Input should be a valid integer"),
        ("training.holdout_days", 112, "training.holdout_days: 112 days leave nothing"),
        ("time_zone", "Mars/Base", "time_zone: 'Mars/Base' is no IANA time zone"),
        ("features.lags", [7, 7], "features.lags: named more than once: 7"),
        ("features.lags", [1], "'seasonal_naive' repeats the target of a week ago; add 7"),
        ("columns.series", [], "features: lags and rolling_means follow a series"),
        ("source.kind", "file", "first_day: missing; name the first day"),
        ("source.kind", "lake", "source.kind: 'lake' is no kind of source; the kinds are: 'file'"),
        (
            "source",
            {},
            "source.kind: missing; the kinds are: 'file', 'landing', 'sql', 'custom', 'replay'",
        ),
        ("source", {"kind": "replay"}, "source: name either the path of a file or a source"),
        ("source.source", {"kind": "sql", "url_env": "A", "table": "t"}, "source: name either"),
        ("source.csv", {}, "source.csv: unknown setting; allowed here: kind, path, source"),
        ("source", {"kind": "sql", "url_env": "A"}, "source: name either a table or a query"),
        ("source", {"kind": "sql", "url_env": "a://b", "table": "t"}, "source.url_env: String"),
        ("source", SQL | {"query": "SELECT :start"}, "source: the query lacks :end; compare"),
        ("source", SQL | {"query": "SELECT 1::start, :end"}, "source: the query lacks :start"),
        ("source", FILE | {"csv": {"decimal": ";"}}, "source.csv.decimal: Input should be '.'"),
        ("source", FILE | {"csv": {"encoding": "klingon"}}, "'klingon' is no encoding, such as"),
        ("source", {"kind": "replay", "source": FILE | {"pth": 1}}, "source.source.pth: unknown"),
        ("columns.numeric", ["units"], "columns: 'units' have more than one role"),
        ("columns.series", ["units"], "columns.series: 'units' cannot name a series"),
        ("columns.series", ["date"], "columns.series: 'date' cannot name a series"),
        ("constraints.units", {"min": 5, "max": 1}, "no value is at least 5 and at most 1"),
        ("models.1.name", "all", "models: 'all' is no name for a model"),
        ("models", [], "models: List should have at least 1 item"),
        ("time_zone", "America", "time_zone: 'America' is no IANA time zone"),  # a folder of zones
        ("owner", "nobody", "owner: String should match pattern"),
        ("constraints.department", {"min": 0}, "constraints.department: min bound numbers, and"),
        ("constraints.date", {"max": 9}, "constraints.date: max bound numbers, and 'date' is none"),
        ("constraints.promotion", {"allowed": ["a"]}, "promotion: allowed lists texts"),
        ("columns.series", ["version"], "columns: 'version' stored beside forecasts under that"),
        ("columns.series", ["department", "row"], "columns: 'row' stored beside forecasts"),
        ("columns.series", ["units_lag_7"], "'units_lag_7' named like a computed feature"),
        ("columns.series", ["week_of_year"], "'week_of_year' named like a computed feature"),
        ("constraints", {"units": {"max": 9}}, "tweedie_deviance needs a target of at least 0"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, path: str, value: object, message: str) -> None:
    settings = yaml.safe_load(PROJECT_FILE.read_text())
    change(settings, path, value)
    file = tmp_path / "project.yaml"
    file.write_text(yaml.safe_dump(settings, sort_keys=False))
    with pytest.raises(ProjectError) as caught:
        load_project(file)
    assert message in str(caught.value)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("source", SQL | {"url_env": "postgresql://me:hunter2@host/shop", "table": "t"}),
        ("source", SQL | {"url_env": "me:hunter2", "table": "t"}),
        ("source", SQL | {"url": "postgresql://me:hunter2@host/shop", "table": "t"}),
        ("source", SQL | {"password": "hunter2", "table": "t"}),
        ("source", "postgresql://me:hun/t:er2hunter2@host/shop"),
        ("alerts", "slack://hunter2/token"),
        ("alerts", {"warn": "slack://hunter2/token"}),
        ("alerts", {"act": ["slack://hunter2/token"]}),
        ("alerts", {"urls": "slack://hunter2/token"}),
    ],
)
def test_a_secret_in_the_settings_is_not_told(tmp_path: Path, path: str, value: object) -> None:
    settings = yaml.safe_load(PROJECT_FILE.read_text())
    change(settings, path, value)
    file = tmp_path / "project.yaml"
    file.write_text(yaml.safe_dump(settings, sort_keys=False))
    with pytest.raises(ProjectError, match=path) as caught:
        load_project(file)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_mistake_names_its_line_and_all_are_told_at_once(tmp_path: Path) -> None:
    text = PROJECT_FILE.read_text()
    text = text.replace("family: ridge", "family: xgb").replace("holdout_days", "holdout")
    file = tmp_path / "project.yaml"
    file.write_text(text)
    line = 1 + text.splitlines().index("    family: xgb")
    with pytest.raises(ProjectError, match=r"2 mistake\(s\)") as caught:
        load_project(file)
    assert f"line {line}, models.1.family" in str(caught.value)


def test_a_key_that_is_there_twice_is_named_with_both_lines(tmp_path: Path) -> None:
    text = PROJECT_FILE.read_text().replace("  holdout_days: 14\n", "  window_months: 3\n")
    text = text.replace("{max_depth: 8,", "{max_depth: 8, max_depth: 9,") + "name: again\n"
    file = tmp_path / "project.yaml"
    file.write_text(text)
    lines = text.splitlines()

    def line(start: str) -> int:
        return 1 + next(n for n, line in enumerate(lines) if line.strip().startswith(start))

    with pytest.raises(ProjectError, match=r"3 mistake\(s\)") as caught:
        load_project(file)
    said = str(caught.value)
    first = line("window_months: 4")
    assert f"line {first + 1}, training.window_months: named already on line {first}" in said
    assert f"line {len(lines)}, name: named already on line {line('name: retail')}" in said
    assert f"models.2.hyperparameters.max_depth: named already on line {line('hyperp') + 3}" in said


def test_plain_rows_keep_their_inputs_beside_forecasts(tmp_path: Path) -> None:
    settings = yaml.safe_load(PROJECT_FILE.read_text())
    settings["columns"] |= {"series": [], "numeric": ["unit_price", "covered"]}
    settings["constraints"] = {"units": {"min": 0}}
    settings["features"] = {}
    settings["models"] = [{"name": "seasonal_naive", "family": "historical_mean"}]
    file = tmp_path / "project.yaml"
    file.write_text(yaml.safe_dump(settings))
    with pytest.raises(ProjectError, match=r"columns: 'covered' stored .* Names taken: date, row"):
        load_project(file)


def test_a_loss_that_needs_a_target_of_at_least_zero_is_refused_without(tmp_path: Path) -> None:
    settings = yaml.safe_load(PROJECT_FILE.read_text())
    settings["constraints"] = {}
    settings["evaluation"]["metrics"] = ["mae", "wmape"]
    file = tmp_path / "project.yaml"
    file.write_text(yaml.safe_dump(settings))
    with pytest.raises(ProjectError, match=r"'hist_boosting' minimises the loss poisson, which"):
        load_project(file)


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [", "no valid YAML"), ("- 1", "expected a mapping"), (None, "cannot read the settings")],
)
def test_a_file_that_is_no_settings(tmp_path: Path, text: str | None, message: str) -> None:
    file = tmp_path / "project.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ProjectError, match=message):
        load_project(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("description: Unités\n".encode("latin-1"), "is no text in UTF-8"),
        (b"first_day: 2026-02-31\n", "no valid YAML: day is out of range"),
        (b"!!python/object/apply:os.getcwd []\n", "could not determine a constructor"),
    ],
)
def test_bytes_that_are_no_settings(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "project.yaml"
    file.write_bytes(content)
    with pytest.raises(ProjectError, match=message) as caught:
        load_project(file)
    assert str(file) in str(caught.value)


def places(settings: Any, path: str = "") -> list[str]:
    """The path of every value in the settings."""
    inside = settings if isinstance(settings, dict) else dict(enumerate(settings))
    found = []
    for key, value in inside.items():
        found.append(f"{path}{key}")
        if isinstance(value, dict | list):
            found += places(value, f"{path}{key}.")
    return found


SHIPPED: dict[str, Any] = yaml.safe_load(PROJECT_FILE.read_text(encoding="utf-8"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("a7-./ :é", max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
    max_leaves=4,
)


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(places(SHIPPED)), VALUES)
def test_any_value_anywhere_loads_or_is_explained(path: str, value: object) -> None:
    changed = copy.deepcopy(SHIPPED)
    change(changed, path, value)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "project.yaml")
        file.write_text(yaml.safe_dump(changed, sort_keys=False), encoding="utf-8")
        told = ""
        try:
            load_project(file)
        except ProjectError as error:
            told = str(error)
        assert not told or (str(file) in told and "line " in told)


def test_the_environment_names_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = yaml.safe_load(PROJECT_FILE.read_text()) | {"name": "other"}
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(settings))
    monkeypatch.setenv("MLOPS_PROJECT", str(tmp_path / "other.yaml"))
    assert load_project().name == "other"
