"""What is told is told once, and kept without secrets."""

import datetime as dt
from pathlib import Path

import pytest

from mlops_assets.resources.storage import LocalStorage
from mlops_assets.resources.stores.alert_records import Alert, Alerts, Kind

NOW = dt.datetime(2026, 3, 20, 12, tzinfo=dt.UTC)


def make_alert(key: str = "a", minutes: int = 0, **facts: object) -> Alert:
    values = {"kind": Kind.RUN_FAILED, "subject": f"{key} failed", "text": "run it again"}
    return Alert.model_validate(
        {"at": NOW + dt.timedelta(minutes=minutes), "key": key, "url": "http://x/", **values}
        | facts
    )


@pytest.fixture
def alerts(tmp_path: Path) -> Alerts:
    return Alerts(LocalStorage(str(tmp_path)))


def test_a_problem_is_open_until_its_recovery_and_may_come_again(alerts: Alerts) -> None:
    alerts.record(make_alert("a"))
    assert set(alerts.open()) == {"a"}
    alerts.record(make_alert("recovered:a", 1, kind=Kind.RECOVERED, recovers="a"))
    assert not alerts.open()
    alerts.record(make_alert("a", 2))
    assert alerts.open()["a"].at == NOW + dt.timedelta(minutes=2)
    assert len(alerts.all()) == 3


def test_of_two_at_once_one_is_kept(alerts: Alerts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts.log, "names", list)  # as both see the folder before either writes
    assert alerts.record(make_alert())
    assert not alerts.record(make_alert())


def test_credentials_in_a_reason_are_not_kept(alerts: Alerts, tmp_path: Path) -> None:
    alerts.record(
        make_alert(text="no answer from s3://me:hunter2@host/x", subject="a://b:hunter2@c")
    )
    [file] = (tmp_path / "alerts").iterdir()
    assert "hunter2" not in file.read_text()
    assert "s3://***@host/x" in file.read_text()


def test_a_damaged_file_is_named_and_left_out(alerts: Alerts, tmp_path: Path) -> None:
    alerts.record(make_alert("a"))
    (tmp_path / "alerts" / "broken.json").write_text("{")
    damaged: list[str] = []
    assert [alert.key for alert in alerts.all(damaged).values()] == ["a"]
    assert damaged == [str(tmp_path / "alerts" / "broken.json")]
