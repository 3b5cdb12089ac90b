"""The checks of a day's observations: what they say, and what a severe one stops."""

import datetime as dt
from dataclasses import replace
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.assets.observations_type import make_observations_type
from mlops_assets.assets.soundness import Inspector
from mlops_assets.ml.monitoring.day_facts import StoredNames
from mlops_assets.ml.monitoring.quality import CHECKS
from mlops_assets.project.made_for import made_for
from mlops_assets.resources.stores.check_results import CheckStore
from mlops_assets.resources.stores.dataset_store import DatasetStore, Told
from mlops_tests.assets.lab import Lab, keys, make_rows, make_settings, reason

DAY, NEXT = "2026-03-10", "2026-03-11"
OBSERVATIONS = dg.AssetKey("observations")


def evaluations(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    """The evaluations of a run's checks by partition, each by its name."""
    found: dict[str, dict[str, Any]] = {}
    for event in result.all_events:
        if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            evaluation = event.asset_check_evaluation_data
            found.setdefault(evaluation.partition or "", {})[evaluation.check_name] = evaluation
    return found


def thinned(series: int, day: str = DAY) -> pd.DataFrame:
    """The rows of the source, of a day only those of so many series."""
    rows = make_rows()
    kept = ["bread", "cake", "milk"][:series]
    return rows[(rows["date"] != day) | rows["category"].isin(kept)]


def test_a_sound_day_passes_every_check_on_its_partition(lab: Lab) -> None:
    result = lab.run("observations", DAY)
    assert result.success
    found = evaluations(result)
    assert list(found) == [DAY]
    assert set(found[DAY]) == set(CHECKS)
    assert all(evaluation.passed for evaluation in found[DAY].values())
    count = found[DAY]["row_count"]
    assert {name: value.value for name, value in count.metadata.items()} == {
        "value": 3.0,
        "low": 2.7,
        "high": 3.3,
    }


def test_what_warns_is_stored_and_what_is_severe_is_refused(lab: Lab) -> None:
    stored = lab.file("observations", DAY).read_bytes()
    lab.write(thinned(2))
    result = lab.run("observations features", DAY)
    assert result.success
    count = evaluations(result)[DAY]["row_count"]
    assert (count.passed, count.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert len(lab.datasets.read("observations", [DAY])) == 2

    lab.file("observations", DAY).write_bytes(stored)
    lab.write(thinned(1))
    result = lab.run("observations features", DAY)
    assert "1 rows, less than half of the fewest of late, 3" in reason(result)
    assert "`accept: true`" in reason(result)
    count = evaluations(result)[DAY]["row_count"]
    assert (count.passed, count.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert lab.file("observations", DAY).read_bytes() == stored
    steps = {event.step_key for event in result.all_events if event.is_step_start}
    assert steps == {"observations"}, "what depends on the day is not computed"


def test_a_day_that_is_right_as_it_is_can_be_accepted(lab: Lab) -> None:
    lab.write(thinned(1))
    config = {"ops": {"observations": {"config": {"accept": True}}}}
    result = lab.run("observations", DAY, config=config)
    assert result.success
    count = evaluations(result)[DAY]["row_count"]
    assert (count.passed, count.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert count.description.startswith("accepted by hand: 1 rows, less than half")
    assert len(lab.datasets.read("observations", [DAY])) == 1
    rows = make_rows()
    rows.loc[rows["date"] == DAY, "units"] = -1.0
    lab.write(rows)
    assert not lab.run("observations", DAY, config=config).success, "the schema stays"


def test_days_of_a_range_are_judged_as_one_by_one(lab: Lab) -> None:
    """A refused day speaks for no day after it."""
    lab.write(thinned(1))
    for key in keys(DAY, "2026-03-13"):
        lab.datasets.delete("observations", key)
    together = lab.run("observations", "2026-03-09", "2026-03-13")
    assert reason(together).splitlines()[0].startswith("observations: 1 of 5")
    said = evaluations(together)
    stored = lab.datasets.keys("observations")
    for key in keys(DAY, "2026-03-13"):
        lab.datasets.delete("observations", key)
    for key in keys("2026-03-09", "2026-03-13"):
        alone = evaluations(lab.run("observations", key))[key]
        assert {name: (e.passed, e.description) for name, e in alone.items()} == {
            name: (e.passed, e.description) for name, e in said[key].items()
        }
    assert lab.datasets.keys("observations") == stored
    assert not said[NEXT]["source_freshness"].passed, "the day before it has no rows"


@pytest.mark.parametrize("wrong", ["late", "tripled"])
def test_a_day_after_a_wrong_one_is_judged_anew_once_that_is_right(lab: Lab, wrong: str) -> None:
    rows = make_rows()
    first = {"late": DAY, "tripled": "2026-03-05"}[wrong]
    of_days = rows["date"].between(first, DAY)
    check = {"late": "source_freshness", "tripled": "target_level"}[wrong]
    if wrong == "late":
        lab.datasets.delete("observations", DAY)
        lab.write(rows[~of_days])
    else:
        lab.write(rows.assign(units=rows["units"].where(~of_days, 3 * rows["units"])))
    lab.run("observations", first, NEXT)
    known = CheckStore(lab.datasets)
    assert not known.results("observations", [NEXT])[NEXT][check].passed
    stored = lab.file("observations", NEXT).read_bytes()
    other = "2026-03-12"
    sound = evaluations(lab.run("observations", other))[other]
    passed = all(evaluation.passed for evaluation in sound.values())
    kept = lab.file("checks/observations", other).read_bytes()

    lab.write(rows)
    result = lab.run("observations", first, DAY)
    found = evaluations(result)
    assert set(found) - {""} == {*keys(first, DAY), NEXT, other}, "the newest has the last word"
    assert (lab.file("checks/observations", other).read_bytes() == kept) == passed
    assert all(evaluation.passed for evaluation in found[NEXT].values())
    assert all(result.passed for result in known.results("observations", [NEXT])[NEXT].values())
    assert lab.file("observations", NEXT).read_bytes() == stored
    made = [event.partition for event in result.asset_materializations_for_node("observations")]
    assert made == keys(first, DAY), "its rows are as they were"


def test_a_day_without_rows_and_one_that_breaks_the_schema_say_so(lab: Lab) -> None:
    rows = make_rows()
    rows = rows[rows["date"] != DAY]
    rows.loc[rows["date"] == NEXT, "units"] = -1.0
    lab.write(rows)
    result = lab.run("observations", DAY, NEXT)
    assert "the source has no rows of 2026-03-10; the newest before it is 2026-03-09" in reason(
        result
    )
    found = evaluations(result)
    assert list(found[DAY]) == ["source_freshness"]
    assert list(found[NEXT]) == ["schema"]
    assert "InRangeColumnConstraint" in found[NEXT]["schema"].description
    assert found[NEXT]["schema"].severity == dg.AssetCheckSeverity.ERROR


def test_every_day_of_a_long_range_has_results_of_its_own(lab: Lab) -> None:
    """The web UI shows a check as skipped as long as one of its days was asked for in vain."""
    found = evaluations(lab.run("observations", "2026-01-20", "2026-03-10"))
    summary = found.pop("")
    assert list(found) == keys("2026-01-20", "2026-03-10")
    assert summary["row_count"].passed
    assert summary["row_count"].description.startswith("2026-03-10: ")


def test_the_newest_day_has_the_last_word_whichever_a_run_was_about(lab: Lab) -> None:
    rows = make_rows()
    few = rows["date"] == "2026-03-10"
    lab.write(pd.concat([rows[~few], rows[few].iloc[:1]]))
    lab.run("observations", "2026-03-08", "2026-03-09")
    lab.run("observations", "2026-03-10")
    names = [dg.AssetCheckKey(dg.AssetKey("observations"), "row_count")]

    def last_word() -> tuple[str | None, bool]:
        [record] = lab.instance.event_log_storage.get_latest_asset_check_execution_by_key(
            names
        ).values()
        assert record.evaluation is not None
        return record.evaluation.partition, record.evaluation.passed

    newest = last_word()
    assert newest == ("2026-03-10", False), "refused, so that it is not materialized"
    lab.run("observations", "2026-03-08")
    assert last_word() == newest
    lab.run("observations", "2026-03-07", "2026-03-09")
    assert last_word() == newest
    lab.run("observations", "2026-03-09", "2026-03-11")
    assert last_word() == ("2026-03-11", True)
    lab.run("observations", "2026-03-09", "2026-03-10")
    assert last_word() == ("2026-03-11", True)


def test_what_cannot_be_read_is_named_once_and_costs_no_day(empty_lab: Lab) -> None:
    rows = make_rows().astype({"date": str})
    rows.loc[0, "date"] = "n/a"  # of the first day that there is
    settings = make_settings()
    settings["source"] = {"kind": "file", "path": "rows.csv"}
    empty_lab.write(settings=settings)
    rows.to_csv(empty_lab.folder / "rows.csv", index=False)
    for day, passed in ((DAY, False), (NEXT, True), (DAY, False)):  # again of the same day as well
        result = empty_lab.run("observations", day)
        assert result.success
        readable = evaluations(result)[day]["source_readable"]
        assert readable.passed is passed
        if not passed:
            assert "rows.csv: column 'date' is no date: 'n/a' in row 1; write" in str(
                readable.description
            )
        assert len(empty_lab.datasets.read("observations", [day])) == 3
    (empty_lab.folder / "rows.csv").write_text("day,pieces\n2026-01-01,1\n")
    result = empty_lab.run("observations", NEXT)  # the definitions load
    assert not result.success
    [failure] = [event for event in result.all_events if event.is_step_failure]
    assert "lacks the column(s) date" in str(failure.step_failure_data.error)


def test_rows_without_a_target_are_left_out_counted_and_scored_by_nobody(lab: Lab) -> None:
    rows = make_rows()
    of_day = rows.index[rows["date"] == DAY]
    rows.loc[of_day[0], "units"] = float("nan")
    lab.write(rows)
    result = lab.run("observations features", DAY)
    assert result.success
    known = evaluations(result)[DAY]["targets_known"]
    assert known.passed
    assert known.metadata["value"].value == pytest.approx(2 / 3)
    assert "1 row(s) have no target, such as bakery bread (nan); they are left" in known.description
    for dataset in ("observations", "features"):
        assert lab.datasets.read(dataset, [DAY])["category"].tolist() == ["cake", "milk"]
    facts = lab.metadata("observations", DAY)
    assert facts["rows_without_target"] == 1
    assert facts["label_completeness"] == pytest.approx(2 / 3)

    rows.loc[of_day, "units"] = [float("nan"), float("inf"), 4.0]  # one of three is below a half
    lab.write(rows)
    result = lab.run("observations", DAY)
    assert (
        "2 of 3 rows lack the target 'units', such as bakery bread (nan); at least quality.min"
        in reason(result)
    )
    assert "accept" not in reason(result)
    assert list(evaluations(result)[DAY]) == ["targets_known"]
    settings = make_settings()
    settings["quality"] = {"min_completeness": 0.3, "min_days": 366, "window_days": 366}
    lab.write(settings=settings)
    assert lab.run("observations", DAY).success
    assert lab.datasets.read("observations", [DAY])["units"].tolist() == [4.0]


def test_days_are_judged_alike_by_what_files_tell_and_by_their_rows(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And anew by their rows, once those of the day before are others."""

    def known() -> dict[str, Any]:
        store = DatasetStore(lab.storage, made_for(lab.project))
        first = dt.date.fromisoformat(NEXT)
        inspector = Inspector(lab.project, make_observations_type(lab.project), store, first)
        return {str(day): replace(facts, values=None) for day, facts in inspector.before.items()}

    before = known()
    assert before[DAY].repeated
    assert isinstance(before["2026-03-01"].series, StoredNames)
    rows = make_rows()
    changed = rows["date"] == "2026-03-05"
    lab.write(rows.assign(unit_price=rows["unit_price"].where(~changed, 9.0)))
    assert lab.run("observations", "2026-03-05").success
    told = known()
    assert told["2026-03-06"].moves != before["2026-03-06"].moves
    files = DatasetStore.told

    def silent(*given: Any) -> dict[str, Told]:
        return {key: Told("", one.digest) for key, one in files(*given).items()}

    monkeypatch.setattr(DatasetStore, "told", silent)
    by_rows = known()
    first = min(by_rows)  # of the oldest, it is not looked at what it repeats
    assert [*told] == [*by_rows]
    for day in by_rows:
        names = {"repeated": {}, "moves": {}} if day == first else {}
        assert replace(told[day], **names) == replace(by_rows[day], **names)
