"""What the web UI shows first of each asset: few entries, and what people came for on top."""

import base64
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import dagster as dg
import pytest

from mlops_assets.assets.reporting import DETAILS, IN_PLACE, first_rows, overview, said
from mlops_assets.definitions import make_definitions
from mlops_assets.ml.models.intervals import conformal_radius
from mlops_tests.assets.lab import Lab, keys
from mlops_tests.assets.test_forecast import settings
from mlops_tests.assets.test_issued import Living, living  # noqa: F401

FIRST, DAY = "2026-03-01", "2026-03-14"
MODELS = "validation/seasonal_naive validation/linear"
MOST = 8
PLOTTED = dg.IntMetadataValue | dg.FloatMetadataValue


def entries(lab: Lab, asset: str, partition: str | None = None) -> dict[str, dg.MetadataValue]:
    """What the overview of an asset lists: its definition's entries after the newest ones."""
    key = dg.AssetKey(asset.split("/"))
    asked = dg.AssetRecordsFilter(key, asset_partitions=[partition] if partition else None)
    [record] = lab.instance.fetch_materializations(asked, limit=1).records
    made = record.asset_materialization
    assert made is not None
    graph = make_definitions(lab.project, lab.storage).resolve_asset_graph()
    found = {**made.metadata, **graph.get(key).metadata}
    # the web UI shows these beside the status or not at all
    return {name: value for name, value in found.items() if not name.startswith("dagster")}


@pytest.fixture
def seen(lab: Lab) -> Iterator[Lab]:
    """Ten days of everything."""
    lab.write(settings=settings())
    seen = Lab(lab.folder)
    with seen.instance:
        assert seen.run(
            "validation/seasonal_naive validation/linear leaderboard", FIRST, DAY
        ).success
        assert seen.run("champion forecast", FIRST, DAY).success
        assert seen.run("models/linear", "2026-03-01").success
        yield seen


def test_every_overview_is_short_and_plots_little(seen: Lab) -> None:
    for asset, partition in {
        "validation/linear": DAY,
        "validation/seasonal_naive": DAY,
        "leaderboard": DAY,
        "champion": DAY,
        "forecast": DAY,
        "models/linear": "2026-03-01",
    }.items():
        found = entries(seen, asset, partition)
        numbers = [n for n, value in found.items() if isinstance(value, PLOTTED)]
        assert len(found) <= MOST, (asset, list(found))
        assert len(numbers) <= MOST, (asset, numbers)
        assert DETAILS in found


def test_the_primary_metric_is_the_first_number_and_the_first_plot(seen: Lab) -> None:
    found = entries(seen, "validation/linear", DAY)
    assert next(iter(found)) == "WMAPE_reconstructed"
    plots = sorted(n for n, value in found.items() if isinstance(value, PLOTTED))
    assert plots[0] == "WMAPE_reconstructed"  # the web UI sorts them by code points
    assert "bias_reconstructed" in plots
    frame = seen.datasets.read("validation/linear", [DAY])
    by_hand = (frame["forecast"] - frame["actual"]).abs().sum() / frame["actual"].sum()
    assert found["WMAPE_reconstructed"].value == pytest.approx(by_hand, rel=1e-5)
    told = seen.metadata("validation/linear", DAY)
    assert told["wmape_reconstructed"] == found["WMAPE_reconstructed"].value
    assert f"Reconstructed by `{frame['version'].iloc[0]}`" in str(found["day"].value)


def test_a_day_that_was_lived_says_when_it_was_issued(living: Living) -> None:  # noqa: F811
    found = entries(living, "validation/linear", "2026-03-13")
    assert {"WMAPE", "WMAPE_vs_baseline"} <= set(found)
    issued = living.metadata("validation/linear", "2026-03-13")["issued"]
    assert f"Issued {issued} by " in str(found["day"].value)
    assert len(found) <= MOST


def test_the_leaderboard_begins_with_its_table_under_the_way_to_its_page(
    seen: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, table = next(iter(entries(seen, "leaderboard", DAY).items()))
    header, _, *rows = str(table.value).splitlines()
    assert name == "table"
    assert header.startswith("||model|")
    assert len(rows) == 2
    # by where it is served when definitions are loaded, not by where a day was evaluated
    monkeypatch.setenv("PAGES_URL", "http://127.0.0.1:4001")
    graph = make_definitions(seen.project, seen.storage).resolve_asset_graph()
    told = graph.get(dg.AssetKey("leaderboard")).description
    assert "[Open the page](http://127.0.0.1:4001/models)" in str(told)


def test_the_forecast_shows_the_weeks_before_and_the_largest_rows(seen: Lab) -> None:
    found = entries(seen, "forecast", DAY)
    stored = seen.datasets.read("forecast", [DAY])
    scored = seen.datasets.read("validation/linear", keys(FIRST, DAY))
    total = stored["forecast"].sum()
    days = scored.groupby("date")[["actual", "forecast"]].sum()
    off = (days["actual"] - days["forecast"]).to_numpy()
    radius = conformal_radius(off, 0.9)
    weeks = str(found["weeks"].value)
    between = f"{total - radius:,.4g} to {total + radius:,.4g}"
    assert weeks.startswith(f"**{total:,.4g}** units for 2026-03-15, {between} (90%)")
    picture = ET.fromstring(base64.b64decode(weeks.partition("base64,")[2].rstrip(")")))
    lines = [line.attrib["points"] for line in picture if line.tag.endswith("polyline")]
    assert [len(points.split()) for points in lines] == [14, 14]
    assert len(weeks) < IN_PLACE
    _, _, *rows = str(found["largest"].value).splitlines()
    largest = stored.sort_values("forecast", ascending=False)["category"].tolist()
    assert [row.split("|")[-2] for row in rows] == largest[: len(rows)]


def test_a_decision_is_a_sentence_with_its_evidence(seen: Lab) -> None:
    who = str(entries(seen, "champion", DAY)["who"].value)
    assert who.startswith("**linear** since 2026-03-01: the first champion, by the settings.")
    assert "From 2026-03-15 on: linear stays." in who


def test_every_daily_overview_leads_to_the_page_of_its_day(seen: Lab) -> None:
    for asset in ("validation/linear", "leaderboard", "champion", "forecast"):
        found = entries(seen, asset, DAY)
        told = str(found["who" if asset == "champion" else "day"].value)
        assert told.endswith(f"[All that happened on the day](/pages/day?on={DAY})"), asset


def test_details_are_said_beside_what_is_shown() -> None:
    made = overview({"WMAPE": 0.2}, {"rows": 3, "path": dg.MetadataValue.path("a/b.parquet")})
    assert list(made) == ["WMAPE", DETAILS]
    assert said(made) == {"rows": 3, "path": "a/b.parquet", "WMAPE": 0.2}


def test_a_long_table_shows_what_fits_in_place_and_says_how_many_are_left() -> None:
    rows = [[f"model_{n}", "0.25"] for n in range(200)]
    text = str(first_rows(["model", "score"], rows).value)
    assert len(text) < IN_PLACE
    *shown, blank, left = text.splitlines()
    assert (shown[0], blank) == ("|model|score|", "")
    assert left == f"and {200 - (len(shown) - 2)} more"
    assert str(first_rows(["a"], [["1"]]).value) == "|a|\n|---|\n|1|"
