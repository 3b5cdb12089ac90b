"""The champion in any script: the version in service, its forecasts, and no Dagster.

`linear` is champion from 28 February on, `seasonal_naive` is pinned from 5 March on; of both there
are versions for February and for March.
"""

import datetime as dt
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_assets import load_champion
from mlops_assets.resources.storage import StorageError
from mlops_assets.resources.stores.decisions import Action
from mlops_assets.resources.stores.model_store import ModelCard, ModelStore
from mlops_tests.assets.lab import FIRST_DAY, Lab, keys, make_rows, make_settings

FEBRUARY, MARCH = "2026-02-01", "2026-03-01"
FIRST, PINNED, NEWEST = "2026-02-28", "2026-03-04", "2026-03-05"
BASELINE, CHAMPION = "seasonal_naive", "linear"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Champions of 28 February to 5 March, so of 1 to 6 March as days to come."""
    lab = Lab(tmp_path_factory.mktemp("champion"))
    settings = make_settings()
    settings["champion"] |= {"initial": CHAMPION}
    rows = make_rows()
    lab.write(rows[rows["date"] <= "2026-03-08"], settings)
    with lab.instance:
        assert lab.run("observations features", str(FIRST_DAY), "2026-03-08").success
        assert lab.run("training_set models/seasonal_naive models/linear", FEBRUARY, MARCH).success
        assert lab.run("validation/seasonal_naive validation/linear", FIRST, NEWEST).success
        assert lab.run("champion forecast", FIRST, "2026-03-03").success
        pin = {"ops": {"champion": {"config": {"pin": BASELINE, "reason": "a test"}}}}
        assert lab.run("champion forecast", PINNED, config=pin).success
        assert lab.run("champion forecast", NEWEST).success
    return lab


def copied(lab: Lab, to: Path) -> Lab:
    """The project again, for a test that changes it."""
    shutil.copytree(lab.folder, to / "copy")
    return Lab(to / "copy")


def trained(models: ModelStore, model: str, month: str) -> ModelCard:
    [card] = [card for card in models.cards(model) if card.month == month]
    return card


def test_it_is_the_version_in_service_on_the_day_after_the_newest_champion(lab: Lab) -> None:
    _, card = load_champion(lab.storage.root)
    assert card == trained(lab.models, BASELINE, MARCH)


@pytest.mark.parametrize(
    ("day", "model", "month"),
    [
        # March's version learned through 28 February, so it serves from the first
        ("2026-03-01", CHAMPION, MARCH),
        ("2026-03-04", CHAMPION, MARCH),
        # pinned at the end of 4 March
        ("2026-03-05", BASELINE, MARCH),
        ("2026-03-06", BASELINE, MARCH),
        # later than any: the newest champion goes on
        ("2026-03-20", BASELINE, MARCH),
    ],
)
def test_it_is_the_version_in_service_on_a_past_day(
    lab: Lab, day: str, model: str, month: str
) -> None:
    _, card = load_champion(lab.storage.root, dt.date.fromisoformat(day))
    assert card == trained(lab.models, model, month)


def test_a_past_day_is_answered_by_the_version_that_served_it(lab: Lab, tmp_path: Path) -> None:
    """Whatever was trained, or retired, since."""
    copy, day = copied(lab, tmp_path), dt.date(2026, 3, 4)
    march = trained(copy.models, CHAMPION, MARCH)
    config = {"ops": {"models__linear": {"config": {"hyperparameters": {"alpha": 5.0}}}}}
    with copy.instance:
        assert copy.run("models/linear", MARCH, config=config).success
    newest = copy.models.in_service(CHAMPION, day)
    assert newest is not None
    assert newest != march
    assert load_champion(copy.storage.root, day)[1] == march
    for card in copy.models.cards(CHAMPION)[1:]:
        copy.models.decisions.record(Action.RETIRE, CHAMPION, version=card.version)
    assert load_champion(copy.storage.root, day)[1] == march
    copy.datasets.delete("validation/linear", str(day))  # it was issued, and is not scored yet
    rows = pd.DataFrame({"model": [BASELINE, CHAMPION], "version": ["another", march.version]})
    copy.datasets.write("issued", "2026-03-03", rows)
    assert load_champion(copy.storage.root, day)[1] == march
    copy.datasets.delete("issued", "2026-03-03")
    assert load_champion(copy.storage.root, day)[1] == trained(copy.models, CHAMPION, FEBRUARY)
    shutil.rmtree(Path(copy.models.url(march)).parent)
    copy.datasets.write("issued", "2026-03-03", rows)
    with pytest.raises(StorageError, match=f"{march.version}/card.json was written and is missing"):
        load_champion(copy.storage.root, day)


def test_its_forecasts_of_stored_features_are_the_forecasts_that_were_issued(lab: Lab) -> None:
    for issued in keys(FIRST, NEWEST):
        day = dt.date.fromisoformat(issued) + dt.timedelta(days=1)
        pipeline, card = load_champion(lab.storage.root, day)
        features = lab.datasets.read("features", [str(day)])
        values = np.asarray(pipeline.predict(features[card.inputs]), dtype=float)
        assert card.non_negative
        by_hand = {
            category: max(value, 0.0)
            for category, value in zip(features["category"], values, strict=True)
        }
        stored = lab.datasets.read("forecast", [issued])
        assert len(stored) == 3
        assert set(stored["date"].dt.strftime("%Y-%m-%d")) == {str(day)}
        assert set(stored["version"]) == {card.version}
        assert dict(zip(stored["category"], stored["forecast"], strict=True)) == by_hand


def test_the_baseline_as_champion_repeats_last_week(lab: Lab) -> None:
    pipeline, card = load_champion(lab.storage.root)
    features = lab.datasets.read("features", ["2026-03-06"])
    last_week = make_rows().set_index(["date", "category"])["units"].loc["2026-02-27"]
    assert list(pipeline.predict(features[card.inputs])) == [
        last_week[category] for category in features["category"]
    ]


def test_a_retired_version_is_not_loaded(lab: Lab, tmp_path: Path) -> None:
    copy = copied(lab, tmp_path)
    copy.models.decisions.record(
        Action.RETIRE, BASELINE, version=trained(copy.models, BASELINE, MARCH).version
    )
    _, card = load_champion(copy.storage.root)
    assert card == trained(copy.models, BASELINE, FEBRUARY)


def test_a_champion_without_a_version_that_may_serve_is_named(lab: Lab, tmp_path: Path) -> None:
    copy = copied(lab, tmp_path)
    for card in copy.models.cards(BASELINE):
        copy.models.decisions.record(Action.RETIRE, BASELINE, version=card.version)
    with pytest.raises(StorageError, match="seasonal_naive is the champion, but none of its") as e:
        load_champion(copy.storage.root)
    assert "on 2026-03-06" in str(e.value)
    # the champion of the days before is another one
    assert load_champion(copy.storage.root, dt.date(2026, 3, 4))[1].model == CHAMPION


def test_a_damaged_version_is_not_loaded(lab: Lab, tmp_path: Path) -> None:
    copy = copied(lab, tmp_path)
    Path(copy.models.url(trained(copy.models, BASELINE, MARCH))).write_bytes(b"damaged")
    with pytest.raises(StorageError, match="does not match the SHA-256 of its card"):
        load_champion(copy.storage.root)


def test_a_damaged_record_is_named_with_its_remedy(lab: Lab, tmp_path: Path) -> None:
    copy = copied(lab, tmp_path)
    key = copy.datasets.keys("champion")[-1]
    file = Path(copy.datasets.url("champion", key))
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(StorageError, match=f"--select champion --partition {key}"):
        load_champion(copy.storage.root)
    copy.datasets.write("champion", key, pd.DataFrame({"date": [pd.Timestamp(key)]}))
    with pytest.raises(StorageError, match=f"{key}.parquet is no record of a champion"):
        load_champion(copy.storage.root)


def test_a_root_without_a_champion_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no champion is stored under") as e:
        load_champion(str(tmp_path / "nowhere"))
    assert str(tmp_path / "nowhere") in str(e.value)
    assert not (tmp_path / "nowhere").exists()


def test_a_day_before_the_first_champion_is_named(lab: Lab) -> None:
    with pytest.raises(StorageError, match="no champion of 2026-02-28 is stored under"):
        load_champion(lab.storage.root, dt.date(2026, 2, 28))


def test_a_script_needs_no_dagster(lab: Lab) -> None:
    script = (
        "import sys\n"
        "from mlops_assets import load_champion\n"
        "pipeline, card = load_champion(sys.argv[1])\n"
        "print(card.version, type(pipeline).__name__)\n"
        "print(sorted(name for name in sys.modules if name.split('.')[0].startswith('dagster')))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script, lab.storage.root],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    version = trained(lab.models, BASELINE, MARCH).version
    assert answer.stdout.splitlines() == [f"{version} Pipeline", "[]"]
