"""The zone that written offsets tell of."""

import pandas as pd
import pyarrow as pa
import pytest

from mlops_assets.new.inference.zones import zone_of
from mlops_assets.resources.sources.samples import _dates


@pytest.mark.parametrize(
    ("zone", "found"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("Europe/Paris", "Europe/Berlin"),  # which keeps the same time
        ("America/New_York", "America/New_York"),
        ("America/St_Johns", "America/St_Johns"),
        ("Asia/Kolkata", "Asia/Kolkata"),
        ("UTC", None),
    ],
)
def test_offsets_tell_the_zone(zone: str, found: str | None) -> None:
    times = pd.date_range("2026-01-01", "2026-11-30", freq="h", tz=zone)
    column = _dates(pa.array([time.isoformat() for time in times]), "x", "UTC", None)
    assert zone_of(column) == found


def test_offsets_of_no_zone_tell_nothing() -> None:
    texts = ["2026-01-01T00:00:00+01:00", "2026-01-02T00:00:00+07:00"] * 10
    assert zone_of(_dates(pa.array(texts), "x", "UTC", None)) is None


def test_a_type_names_its_zone() -> None:
    times = pa.array(pd.date_range("2026-01-01", periods=50, freq="h", tz="America/Lima"))
    assert zone_of(_dates(times, "x", "UTC", None)) == "America/Lima"
