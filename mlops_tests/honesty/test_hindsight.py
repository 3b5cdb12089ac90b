"""Nothing is chosen in hindsight: days are judged by versions that were chosen before them.

Days of a lab that nobody lived through are evaluated. Then everything is tried that could make them
look better: sixteen trainings under their month, the version that judges them retired and restored,
hyperparameters adopted, each with the past evaluated again. What the days are judged by must be the
same to the last byte; what was tried is shown beside.
"""

from pathlib import Path
from typing import Any

from mlops_assets.assets.overviews import HINDSIGHT, LATER
from mlops_assets.jobs.management.update_model import UPDATE_JOB
from mlops_assets.jobs.management.versions_in_service import RESTORE_JOB, RETIRE_JOB
from mlops_tests.assets.lab import Lab, keys, make_settings
from mlops_tests.honesty.test_adversary import DAY, LAST, MONTH, copied, make_days
from mlops_tests.jobs.test_manage import asked, done

MODEL = "validation/linear"
JUDGED = keys(MONTH, LAST)
TRIES = [10.0**n for n in range(-9, 7)]


def judged_by(lab: Lab) -> dict[str, Any]:
    """Every file about the days, but of the scored forecasts only what is scored."""
    root = lab.folder / "storage"
    found: dict[str, Any] = {
        str(file.relative_to(root)): file.read_bytes()
        for file in sorted(root.rglob("*"))
        if (day := DAY.search(file.name)) and day[1] in JUDGED and file.parts[-3] != "validation"
    }
    datasets = type(lab.datasets)(lab.storage)
    for model in lab.project.models:
        for day in JUDGED:
            frame = datasets.read(f"validation/{model.name}", [day])
            beside = [name for name in frame if name.startswith(f"{LATER}_")]
            found[f"{model.name} of {day}"] = frame.drop(columns=beside).to_csv()
    return found


def told(lab: Lab, day: str) -> dict[str, Any]:
    metadata = lab.metadata(MODEL, day)
    return {name: metadata[name] for name in metadata if "wmape" in name or "version" in name}


def assert_same(lab: Lab, before: dict[str, Any]) -> None:
    after = judged_by(lab)
    assert sorted(after) == sorted(before)
    assert [name for name in before if before[name] != after[name]] == []


def test_a_month_first_trained_late_counts_in_time_by_the_settings_alone(lab: Lab) -> None:
    """March was never trained in time; with other hyperparameters it is tried in hindsight."""
    [february, march] = lab.models.cards("linear")
    lab.storage.delete(f"models/linear/{march.version}")
    lab.models = type(lab.models)(lab.storage)
    day = "2026-03-10"

    def trained(**config: Any) -> tuple[str, dict[str, Any]]:
        asked_for = {"ops": {"models__linear": {"config": config}}}
        assert lab.run("models/linear", "2026-03-01", config=asked_for).success
        assert lab.run(MODEL, day).success
        return max(lab.models.cards("linear"), key=lambda c: c.created).version, told(lab, day)

    for config in ({"hyperparameters": {"alpha": 3.0}}, {"through": "2026-03-05"}):
        version, said = trained(**config)
        assert said["version"] == february.version
        assert said[f"{HINDSIGHT}_version"] == version
    version, said = trained()
    assert said["version"] == version, "as the schedule would have trained it"


def test_settings_that_are_edited_later_are_tried_in_hindsight(lab: Lab) -> None:
    """March was never trained in time; it is by what the settings say since, and so is another."""
    [february, march] = lab.models.cards("linear")
    lab.storage.delete(f"models/linear/{march.version}")
    lab.models = type(lab.models)(lab.storage)
    settings = make_settings()
    settings["models"][1]["hyperparameters"] = {"alpha": 3.0}
    lab.write(settings=settings)
    day = "2026-03-10"
    for month in ("2026-02-01", "2026-03-01", "2026-03-01"):
        assert lab.run("models/linear", month).success
        assert lab.run(MODEL, day).success
        said, newest = told(lab, day), max(lab.models.cards("linear"), key=lambda c: c.created)
        assert newest.as_settings
        assert said["version"] == february.version
    assert said[f"{HINDSIGHT}_version"] == newest.version


def test_nothing_that_is_tried_later_changes_how_days_are_judged(tmp_path: Path) -> None:
    lab = copied("series", tmp_path / "lab")
    [first] = lab.models.cards("linear")
    with lab.instance:
        make_days(lab)
        before, said = judged_by(lab), told(lab, LAST)
        assert len({name.split("/")[0] for name in before}) >= 6, "every dataset is looked at"
        assert said["version"] == first.version
        for alpha in TRIES:
            config = {"hyperparameters": {"alpha": alpha}}
            tried = {"ops": {"models__linear": {"config": config}}}
            lab.run("models/linear", MONTH, config=tried)  # some are refused
        newest = lab.models.fit_to_serve("linear")[-1]
        assert len(lab.models.cards("linear")) == 1 + len(TRIES)
        make_days(lab)
        assert_same(lab, before)
        now = told(lab, LAST)
        assert now[f"{HINDSIGHT}_version"] == newest.version
        assert {name: now[name] for name in said} == said
        frame = type(lab.datasets)(lab.storage).read(MODEL, [LAST])
        by_hand = (frame["actual"] - frame[f"{LATER}_forecast"]).abs().sum()
        assert now[f"wmape_{HINDSIGHT}"] * frame["actual"].sum() - by_hand < 1e-4 * by_hand

        taken = {"reason": "the others are better", "evaluate_past": True}
        for card in lab.models.cards("linear")[:-1]:
            if card.accepted:
                done(asked(lab, RETIRE_JOB, version=card.version, **taken))
        make_days(lab)
        assert_same(lab, before)
        done(asked(lab, RESTORE_JOB, version=first.version, **taken))
        assert_same(lab, before)
        adopted = {"linear": {"adopt_version": newest.version}}
        done(asked(lab, UPDATE_JOB, model=adopted, reason="the best of all"))
        make_days(lab)
        assert_same(lab, before)
        revised = {"ops": {"champion": {"config": {"revise": True, "reason": "to try it"}}}}
        assert lab.run("champion", MONTH, LAST, config=revised).success
        assert_same(lab, before)
    assert first.version not in lab.models.decisions.retired("linear")
