"""What was issued stays what is scored, whatever is learned of the days afterwards.

A lab lives through its days night by night, so that every model's forecasts are issued. Then the
source corrects the targets and the inputs of days that are over, and everything is made again.
What was issued must be the same to the last byte, and so must all that days are scored by, but for
the actuals; who was champion is a fact.
"""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlops_assets.assets import forecast, issued
from mlops_assets.graph.partitions import day_of
from mlops_tests.assets.lab import Lab, keys
from mlops_tests.honesty.test_adversary import (
    LABS,
    LAST,
    MONTH,
    assets_of,
    copied,
    make_days,
    other_targets,
    trained,
)

CORRECTED = "2026-03-04"  # the first day that is
GATED = "series"  # where there is evidence on the champion
FACTS = ("issued", "champion", "champion_evidence", "first_seen")


def lived(name: str, folder: Path, patch: pytest.MonkeyPatch) -> Lab:
    """A lab of which each day was evaluated in the night after it."""
    lab = copied(name, folder, trained)
    if name == GATED:  # so few days that the gate decides, and would otherwise on others
        _, settings = LABS[name]()
        settings["champion"] |= {"window_days": 7, "min_days": 7, "block_days": 1}
        lab.write(settings=settings)
    tonight: list[Any] = []
    for module in (issued, forecast):
        patch.setattr(module, "is_over", lambda _, day: tonight[-1] > day)
    for key in keys(MONTH, LAST):
        tonight.append(lab.project.day_to_come(day_of(key)))
        assert lab.run(assets_of(lab)[1], key).success
    tonight.append(lab.project.day_to_come(tonight[-1]))
    return lab


def facts(lab: Lab) -> dict[str, bytes]:
    root = lab.folder / "storage" / "datasets"
    return {
        str(file.relative_to(root)): file.read_bytes()
        for name in FACTS
        for file in sorted((root / name).rglob("*.parquet"))
    }


def scored(lab: Lab) -> dict[str, pd.DataFrame]:
    """The live days by model, without the actuals, and what follows from these."""
    datasets = type(lab.datasets)(lab.storage)
    found = {}
    for model in lab.project.models:
        for key in keys(MONTH, LAST):
            rows = datasets.read(f"validation/{model.name}", [key])
            if rows["issued_at"].notna().all():
                found[f"{model.name} of {key}"] = rows.drop(columns="actual")
    return found


def other_inputs(lab: Lab, rows: pd.DataFrame) -> pd.DataFrame:
    """The same rows with other numbers as inputs from the first corrected day on."""
    late = rows[lab.project.columns.date] >= pd.Timestamp(CORRECTED)
    numeric = lab.project.columns.numeric
    return rows.assign(**{name: rows[name].where(~late, rows[name] * 0.9) for name in numeric})


# what features are made of and where rows come from makes no other road from issue to score
@pytest.mark.parametrize("name", [*LABS][:5])
def test_corrections_change_the_actuals_alone(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = lived(name, tmp_path / "lab", monkeypatch)
    with lab.instance:
        before, judged = facts(lab), scored(lab)
        ahead = lab.project.days_ahead
        assert len(judged) == len(lab.project.models) * (12 - ahead), "the other days are live"
        if name == GATED:
            evidence = lab.datasets.read("champion_evidence", keys(MONTH, LAST), {})
            assert evidence["gain"].notna().sum() > 3, "else other days give the same"
        columns, source = lab.project.columns, lab.folder / "rows.parquet"
        rows = other_inputs(lab, pd.read_parquet(source))
        lab.write(other_targets(rows, columns.date, columns.target, 0))
        observed = lab.file("observations", LAST).read_bytes()
        make_days(lab)
        assert lab.file("observations", LAST).read_bytes() != observed, "the days are corrected"
        after = scored(lab)
        assert sorted(after) == sorted(judged)
        for day, frame in judged.items():
            pd.testing.assert_frame_equal(after[day][[*frame]], frame, check_exact=True)
        again = facts(lab)
        assert sorted(again) == sorted(before)
        newest = {f"{name}/{LAST}.parquet" for name in ("champion", "champion_evidence")}
        changed = [file for file in before if before[file] != again[file]]
        assert set(changed) <= newest, "only the day that nothing was decided after"
