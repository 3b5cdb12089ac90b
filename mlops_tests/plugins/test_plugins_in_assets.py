"""The plugin of docs/extend.md, as a reader would write it: everything picks it up."""

import datetime as dt
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
import yaml

from mlops_assets.definitions import make_definitions
from mlops_assets.project.plugin_loader import use_plugins
from mlops_assets.resources.sources import make_source
from mlops_tests import clock
from mlops_tests.assets.lab import FIRST_DAY, Lab, make_rows, make_settings
from mlops_tests.small import REPOSITORY

MARCH = "2026-03-01"
DOCUMENT = (REPOSITORY / "docs" / "extend.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)


def documented_settings(folder: Path) -> dict[str, Any]:
    """The lab's settings with what the document adds to them."""
    settings = make_settings()
    for block in blocks("yaml"):
        for key, value in yaml.safe_load(block.replace("/data/", f"{folder}/")).items():
            added = isinstance(value, dict) and key != "source"
            settings[key] = settings[key] | value if added else value
    return settings


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A project whose plugin file holds every snippet; trained and evaluated in March."""
    lab = Lab(tmp_path_factory.mktemp("plugins"))
    (lab.folder / "ideas.py").write_text("\n\n".join(blocks("python")), encoding="utf-8")
    lab.write(settings=documented_settings(lab.folder))
    make_rows().to_json(
        lab.folder / "rows.jsonl", orient="records", lines=True, date_format="iso", date_unit="s"
    )
    with lab.instance:
        assert lab.run("observations features", str(FIRST_DAY), "2026-03-10").success
        assert lab.run("training_set models/seasonal_naive models/trees", MARCH).success
        days = (MARCH, "2026-03-10")
        assert lab.run("validation/seasonal_naive validation/trees", *days).success
        assert lab.run("leaderboard", *days).success
        yield lab
    use_plugins(lab.folder, [])


def test_the_feature_is_stored_and_learned_from(lab: Lab) -> None:
    features = lab.datasets.read("features", ["2026-03-05"])
    rows = make_rows().set_index("date")
    bread = rows[rows["category"] == "bread"]["units"]
    # the fourteen days before 5 March
    expected = bread["2026-02-19":"2026-03-04"].max()  # type: ignore[misc]
    assert features.set_index("category").loc["bread", "peak_14"] == expected
    [card] = lab.models.cards("trees")
    assert "peak_14" in card.inputs
    assert "peak_14" in card.importance


def test_the_source_gives_what_the_file_holds(lab: Lab) -> None:
    stored = lab.datasets.read("observations", ["2026-03-05"])
    rows = make_rows()
    rows = rows[rows["date"] == "2026-03-05"].reset_index(drop=True)
    pd.testing.assert_frame_equal(stored, rows[stored.columns], check_dtype=False)
    source = make_source(lab.project)
    [(day, before)] = source.fingerprints(dt.date(2026, 3, 5), dt.date(2026, 3, 6)).items()
    assert day == "2026-03-05"
    assert before.startswith("3 rows")


def test_the_split_says_what_is_learned_from(lab: Lab) -> None:
    metadata = lab.metadata("training_set", MARCH)
    assert metadata["window"] == "weeks: 2026-02-01 through 2026-02-28"
    assert (metadata["trained_from"], metadata["days"]) == ("2026-02-01", 28)
    assert lab.metadata("models/trees", MARCH)["window"] == "weeks"


def test_the_metric_is_plotted_ranked_and_told_of_the_holdout(lab: Lab) -> None:
    metadata = lab.metadata("validation/trees", "2026-03-05")
    forecasts = lab.datasets.read("validation/trees", ["2026-03-05"])
    off = ((forecasts["forecast"] - forecasts["actual"]).abs() > 3).mean()
    assert metadata["share_off_reconstructed"] == pytest.approx(off)
    assert "holdout_share_off" in lab.metadata("models/trees", MARCH)
    board = lab.datasets.read("leaderboard", ["2026-03-10"])
    assert {"share_off", "share_off_7d"} <= set(board.columns)
    assert set(board["model"]) == {"seasonal_naive", "trees"}


def test_the_family_has_a_launchpad_form_and_is_offered_for_new_models(lab: Lab) -> None:
    definitions = make_definitions(lab.project, lab.storage)
    [create] = definitions.resolve_job_def("create_model_job").graph.node_defs
    assert "extra_trees" in create.config_schema.config_type.fields["family"].config_type.fields  # type: ignore[attr-defined]
    asset = definitions.resolve_assets_def(dg.AssetKey(["models", "trees"]))
    form = asset.op.config_schema.config_type.fields["hyperparameters"].config_type.fields  # type: ignore[attr-defined]
    assert form["n_estimators"].default_value == 20
    assert form["n_estimators"].description == "Number of trees (at least 1, at most 2,000)."


def test_a_version_is_loaded_by_those_who_know_its_family(lab: Lab) -> None:
    [card] = lab.models.cards("trees")
    rows = lab.datasets.read("features", ["2026-03-05"])
    assert len(lab.models.load(card).predict(rows)) == 3


def test_the_documented_commands_find_nothing_wrong(lab: Lab) -> None:
    [commands] = blocks("sh")
    done = subprocess.run(
        [
            "bash",
            "-c",
            f"set -eux\n{commands.replace('pytest --', 'pytest -p no:cacheprovider --')}",
        ],
        cwd=lab.folder,
        env={
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            **clock.environment(REPOSITORY),
        },
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    entries = "family extra_trees|metric share_off|feature peak|split weeks|source json_lines"
    for entry in entries.split("|"):
        assert done.stdout.count(f"{entry}: keeps its contract") == 2
    assert "5 passed" in done.stdout
