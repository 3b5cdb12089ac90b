"""Tables as people have them: what is odd about them is told, and the project is right."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_assets.assets.observations_type import prepared
from mlops_assets.project import Project
from mlops_assets.resources.sources import make_source
from mlops_tests.new.tables import YESTERDAY, Person, days_up_to, main, make, settings, write
from mlops_tests.resources.sources.books import write_book

COUNT = 200


def panel() -> pd.DataFrame:
    """Rows of three shops, higher at weekends."""
    random = np.random.default_rng(7)
    keys = pd.MultiIndex.from_product(
        [days_up_to(YESTERDAY, COUNT), ["S0", "S1", "S2"]], names=["date", "shop"]
    )
    rows = keys.to_frame(index=False)
    level = 50 + 20 * rows["shop"].str[1].astype(int) + 10 * (rows["date"].dt.dayofweek >= 5)
    return rows.assign(
        temp=random.normal(15, 5, len(rows)).round(1),
        units=(level + random.normal(0, 5, len(rows))).round().astype(int),
    )


def read(project: Project) -> pd.DataFrame:
    """All rows as a run reads them."""
    end = YESTERDAY + dt.timedelta(days=1)
    return make_source(project).read(end - dt.timedelta(days=COUNT), end)


def test_words_among_numbers_are_missing_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = panel()
    share = np.random.default_rng(1).random(len(rows))
    words = rows["temp"].astype(object).mask(share < 0.05, "N/A").mask(share > 0.98, "-")
    project = make(write(rows.assign(temp=words), tmp_path), tmp_path / "p")
    assert project.columns.numeric == ["temp"]
    assert settings(tmp_path / "p")["columns"]["missing"] == {"temp": ["N/A", "-"]}
    assert project.constraints["temp"].nullable
    told = f"'N/A' in {(words == 'N/A').sum()} row(s), the first of them row "
    assert told in capsys.readouterr().out
    assert told in (tmp_path / "p" / "profile.md").read_text()
    expected = rows["temp"].where((share >= 0.05) & (share <= 0.98))
    pd.testing.assert_series_equal(read(project)["temp"], expected)


def test_a_code_in_the_target_is_a_missing_target(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = panel()
    coded = np.random.default_rng(1).random(len(rows)) < 0.02
    file = write(rows.assign(units=rows["units"].mask(coded, -999)), tmp_path)
    project = make(file, tmp_path / "p")
    assert settings(tmp_path / "p")["columns"]["missing"] == {"units": [-999]}
    assert project.constraints["units"].min == 0
    assert project.evaluation.primary == "wmape"
    assert f"'-999' in {coded.sum()} row(s)" in capsys.readouterr().out
    expected = rows["units"].astype(float).mask(coded)
    pd.testing.assert_series_equal(read(project)["units"], expected)


def with_repeats(change: int = 0) -> pd.DataFrame:
    """The panel with thirty rows twice, the second time with another target."""
    rows = panel()
    again = rows.sample(30, random_state=1)
    both = pd.concat([rows, again.assign(units=again["units"] + change)])
    return both.sort_values("date", kind="stable")


def test_copies_of_rows_come_to_the_last_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = make(write(with_repeats(), tmp_path), tmp_path / "p")
    assert project.columns.series == ["shop"]
    assert settings(tmp_path / "p")["aggregate"] == {"target": "last", "inputs": {"temp": "last"}}
    told = capsys.readouterr().out
    assert "30 row(s) repeat a series and day, such as row " in told
    assert "they are copies of others: the target is their last." in told
    found = prepared(project, read(project)).sort_values(["date", "shop"], ignore_index=True)
    pd.testing.assert_frame_equal(found[["date", "shop"]], panel()[["date", "shop"]])
    assert found["units"].tolist() == panel()["units"].tolist()


def test_repeated_rows_that_differ_add_up_where_they_are_counts(tmp_path: Path) -> None:
    file = write(with_repeats(change=3), tmp_path)
    summed = make(file, tmp_path / "p")
    assert settings(tmp_path / "p")["aggregate"] == {"target": "sum", "inputs": {"temp": "mean"}}
    rows = panel()
    twice = 2 * rows.sample(30, random_state=1)["units"] + 3
    expected = twice.reindex(rows.index).fillna(rows["units"])
    found = prepared(summed, read(summed)).sort_values(["date", "shop"], ignore_index=True)
    assert found["units"].tolist() == expected.tolist()
    assert make(file, tmp_path / "q", "--repeated", "refuse").aggregate is None
    assert "their days are refused" in (tmp_path / "q" / "profile.md").read_text()


def test_repeated_rows_are_asked_about(tmp_path: Path) -> None:
    person = Person(["", "mean", *[""] * 5])
    flags = (str(write(with_repeats(change=3), tmp_path)), "--out", str(tmp_path / "p"))
    assert main(flags, person) == 0
    assert any(prompt.startswith("--repeated [sum]") for prompt in person.prompts)
    assert settings(tmp_path / "p")["aggregate"]["target"] == "mean"


@pytest.mark.long
def test_products_of_the_target_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, random = panel(), np.random.default_rng(2)
    price = random.uniform(9, 11, len(rows)).round(2)
    about = (rows["units"] * random.uniform(9, 11, len(rows))).round(2)
    more = rows.assign(price=price, revenue=rows["units"] * price, about=about)
    file = write(more, tmp_path)
    project = make(file, tmp_path / "p")
    assert project.columns.numeric == ["temp", "price"]
    told = capsys.readouterr().out
    assert "revenue is left out: revenue / price is the target" in told
    assert "about is left out: alone it tells 9" in told
    kept = make(file, tmp_path / "kept", "--keep", "about")
    assert kept.columns.numeric == ["temp", "price", "about"]
    person = Person(["", "about", *[""] * 5])
    assert main([str(file), "--out", str(tmp_path / "asked")], person) == 0
    assert settings(tmp_path / "asked")["columns"]["numeric"] == ["temp", "price", "about"]


def sales() -> pd.DataFrame:
    """Rows of forty items, each only on the days on which some were sold."""
    random = np.random.default_rng(3)
    days = days_up_to(YESTERDAY, COUNT)
    demand = random.poisson(random.gamma(0.5, 0.5, 40), (COUNT, 40))
    wide = pd.DataFrame(demand, days, [f"{n:05d}" for n in range(40)])
    wide = wide.rename_axis(index="date", columns="sku")
    rows = wide.stack().rename("qty").reset_index()
    rows = rows.assign(
        group="G" + rows["sku"].str[-1],  # of the item
        warm=(rows["date"].dt.dayofyear % 17).astype(float),  # of the day
        discount=random.uniform(0, 1, len(rows)).round(2),  # of the sale
    )
    return rows[rows["qty"] > 0].reset_index(drop=True)


def test_an_item_without_a_row_sold_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = sales()
    project = make(write(rows, tmp_path), tmp_path / "p")
    assert project.columns.series == ["sku"]
    assert project.columns.absent == "zero"
    assert project.features.lags
    assert project.evaluation.primary == "tweedie_deviance"
    assert project.columns.numeric == ["warm"]
    assert project.columns.categorical == ["sku", "group"]
    profile = (tmp_path / "p" / "profile.md").read_text()
    assert "discount: known only of days on which a series has a row" in profile
    assert "A series without a row of a day is taken for a 0: " in capsys.readouterr().out
    found = read(project)
    wide = rows.pivot(index="date", columns="sku", values="qty")
    due = {(day, item) for item in wide for day in _sold_or_not(wide[item].notna())}
    assert set(zip(found["date"], found["sku"], strict=True)) == due
    assert found["qty"].sum() == rows["qty"].sum()
    assert found["group"].notna().all()


def _sold_or_not(sold: "pd.Series[bool]") -> Iterator[pd.Timestamp]:
    """The days of an item from its first row on, until it is sold no more."""
    away, longest, begun = 0, 0, False
    for day, there in sold.items():
        longest = max(longest, away) if there and begun else longest
        away, begun = 0 if there else away + 1, begun or there
        if begun and away <= max(3 * longest, 84):
            yield day


def test_absent_rows_are_asked_about(tmp_path: Path) -> None:
    file = write(sales(), tmp_path)
    person = Person(["missing", *[""] * 6])
    assert main([str(file), "--target", "qty", "--out", str(tmp_path / "p")], person) == 0
    assert "absent" not in settings(tmp_path / "p")["columns"]
    assert "series" not in settings(tmp_path / "p")["columns"]


def test_gaps_in_what_is_no_amount_are_gaps(tmp_path: Path) -> None:
    rows = panel().sample(frac=0.7, random_state=0).sort_values("date")
    cold = make(write(rows.drop(columns="units"), tmp_path), tmp_path / "p", "--target", "temp")
    assert cold.columns.absent == "missing"
    with_zeros = rows.assign(units=rows["units"].where(rows["units"] > 60, 0))
    sold = make(write(with_zeros, tmp_path), tmp_path / "q", "--target", "units")
    assert sold.columns.absent == "missing"
    without = make(write(rows, tmp_path), tmp_path / "r", "--target", "units")
    assert without.columns.absent == "zero"


def test_names_that_are_stored_are_called_otherwise_inside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = panel().rename(columns={"units": "forecast", "temp": "model", "shop": "row"})
    project = make(write(rows, tmp_path), tmp_path / "p", "--target", "forecast")
    assert project.columns.series == ["row_"]
    assert project.columns.numeric == ["model_"]
    assert project.columns.target == "forecast"
    assert project.columns.source_names == {"row_": "row", "model_": "model"}
    assert "'row' is called 'row_' here" in capsys.readouterr().out
    found = read(project)
    assert list(found) == ["date", "row_", "forecast", "model_"]
    assert found["forecast"].tolist() == rows["forecast"].tolist()
    assert found["row_"].tolist() == rows["row"].tolist()


def test_a_header_that_is_there_twice_is_named_with_both_positions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = panel().to_csv(index=False)
    file = tmp_path / "t.csv"
    file.write_text(text.replace("temp", "units", 1))
    for flags in ((), ("--target", "units")):
        assert main([str(file), "--out", str(tmp_path / "p"), "--yes", *flags]) == 1
        told = capsys.readouterr().err
        assert "has the column 'units' more than once, as columns 3 and 4; rename one" in told
    assert not (tmp_path / "p").exists()
    file.write_text(text.replace("temp", "shop", 1))
    make(file, tmp_path / "p")
    assert "'shop' more than once, as columns 2 and 3: not read" in capsys.readouterr().out


@pytest.mark.long
def test_a_book_of_several_sheets_is_asked_about(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = panel()
    cells = rows.assign(date=rows["date"].dt.date).itertuples(index=False, name=None)
    sheets = {"Sales": [list(rows), *cells], "Notes": [["about", "by"], ["sales", "me"]]}
    file = write_book(tmp_path / "book.xlsx", sheets)
    assert main([str(file), "--out", str(tmp_path / "p"), "--yes"]) == 1
    assert "name it with --sheet: Sales, Notes" in capsys.readouterr().err
    project = make(file, tmp_path / "p", "--sheet", "Sales")
    pd.testing.assert_series_equal(read(project)["units"], rows["units"].astype(float))
    person = Person(["Sales", *[""] * 5])
    assert main([str(file), "--out", str(tmp_path / "q")], person) == 0
    assert settings(tmp_path / "q")["source"]["sheet"] == "Sales"


@pytest.mark.parametrize(
    ("pattern", "unit"), [("${:,.2f}", "$"), ("{:.0f} kg", "kg"), ("CHF {:,.2f}", "CHF")]
)
@pytest.mark.long
def test_numbers_in_a_unit_are_numbers(tmp_path: Path, pattern: str, unit: str) -> None:
    rows = panel()
    amounts = rows["units"] * 100.0
    file = write(rows.assign(units=amounts.map(pattern.format)), tmp_path)
    project = make(file, tmp_path / "p", "--target", "units")
    assert settings(tmp_path / "p")["columns"]["units"] == {"units": unit}
    assert f"column 'units' is of numbers in {unit}" in (tmp_path / "p" / "profile.md").read_text()
    pd.testing.assert_series_equal(read(project)["units"], amounts)


def test_a_swiss_export(tmp_path: Path) -> None:
    rows = panel()
    amounts = rows["units"] * 123.45
    shown = rows.assign(
        date=rows["date"].dt.strftime("%d.%m.%Y"),
        units=amounts.map("{:,.2f}".format).str.replace(",", "'"),
    )
    file = write(shown.drop(columns="temp"), tmp_path, sep=";", encoding="cp1252")
    project = make(file, tmp_path / "p")
    assert read(project)["units"].round(2).tolist() == amounts.round(2).tolist()


def test_lines_above_the_header_and_a_total_below(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = panel().to_csv(index=False)
    file = tmp_path / "t.csv"
    file.write_text(f"Report\nmade today\n\n{text}Total,,,99999\n")
    assert main([str(file), "--out", str(tmp_path / "p"), "--yes"]) == 1
    assert "that seems to be line 4, 'date,shop,temp,units': set --skip-lines to 3" in (
        capsys.readouterr().err
    )
    project = make(file, tmp_path / "p", "--skip-lines", "3", "--target", "units")
    assert "'Total' in row 601" in capsys.readouterr().out
    assert len(read(project)) == 600


@pytest.mark.parametrize(("bad", "told"), [(-1, "is below zero"), (None, "is missing")])
def test_a_column_says_how_much_a_row_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bad: float | None, told: str
) -> None:
    rows = panel().assign(people=np.arange(3 * COUNT) % 7 + 1.0)
    table = write(rows, tmp_path)
    project = make(table, tmp_path / "p", "--weight", "people")
    assert project.columns.weight == "people"
    assert project.columns.numeric == ["temp"]
    pd.testing.assert_series_equal(read(project)["people"], rows["people"])
    rows.loc[5, "people"] = bad
    assert main([str(write(rows, tmp_path)), "--out", str(tmp_path / "q"), "--target", "units",
                 "--weight", "people", "--yes"]) == 1  # fmt: skip
    assert f"--weight 'people' {told} in 1 row(s), such as row 6" in capsys.readouterr().err
    assert not (tmp_path / "q").exists()


def test_minus_one_among_numbers_that_are_never_negative_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = panel()
    coded = np.random.default_rng(4).random(len(rows)) < 0.05
    amount = np.random.default_rng(5).integers(0, 90, len(rows))
    minus = np.random.default_rng(6).integers(-6, 7, len(rows))  # -1 is a number like others
    table = rows.assign(amount=np.where(coded, -1, amount), change=minus)
    project = make(write(table, tmp_path), tmp_path / "p", "--target", "units")
    assert settings(tmp_path / "p")["columns"]["missing"] == {"amount": [-1]}
    said = f"column 'amount' holds '-1' in {coded.sum()} row(s)"
    assert said in capsys.readouterr().out
    expected = pd.Series(amount, dtype=float).where(~coded)
    pd.testing.assert_series_equal(read(project)["amount"], expected, check_names=False)


def test_zero_and_minus_one_as_common_are_numbers(tmp_path: Path) -> None:
    counts = np.random.default_rng(4).integers(-1, 9, 3 * COUNT)
    table = panel().assign(stock=counts)
    project = make(write(table, tmp_path), tmp_path / "p", "--target", "units")
    assert not project.columns.missing


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_lines_above_the_header_are_told_with_the_flag(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], delimiter: str
) -> None:
    file = tmp_path / "table.csv"
    above = f"Sales of all shops\nmade on{delimiter}2026-01-31\n\n"
    file.write_text(above + panel().to_csv(index=False, sep=delimiter), encoding="utf-8")
    assert main([str(file), "--out", str(tmp_path / "p"), "--target", "units", "--yes"]) == 1
    told = capsys.readouterr().err
    header = delimiter.join(["date", "shop", "temp", "units"])
    assert "does not begin with its header, but with 'Sales of all shops'" in told
    assert f"that seems to be line 4, {header!r}: set --skip-lines to 3" in told
    project = make(file, tmp_path / "p", "--target", "units", "--skip-lines", "3")
    assert len(read(project)) == 3 * COUNT
