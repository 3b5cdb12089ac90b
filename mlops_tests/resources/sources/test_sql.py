"""Databases as a source, the same on SQLite and on a PostgreSQL server."""

import datetime as dt
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from mlops_assets.resources.sources import Source, SourceError, make_source
from mlops_tests.resources.sources.postgresql import PASSWORD, binaries, server
from mlops_tests.resources.sources.problems import JANUARY, PLAIN, SHOPS, day_keys, problem

SECRETS = (PASSWORD, PASSWORD.replace("%40", "@").replace("%23", "#"), "tell")
BERLIN = "Europe/Berlin"
ROWS = [
    ("2026-01-01", "007", 1.5, "2026-01-01 05:00:00"),
    ("2026-01-02", "007", 2.0, "2026-01-02 05:00:00"),
    ("2026-01-02", "NA", None, "2026-01-02 05:00:00"),
    ("2026-01-03", "8", 4.0, "2026-01-03 05:00:00"),
]


@dataclass
class Database:
    """A database with a table of sales, and a source that reads it."""

    url: str
    engine: sa.Engine

    def run(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def source(self, zone: str = "UTC", columns: dict[str, Any] = SHOPS, **settings: Any) -> Source:
        what = {} if "query" in settings else {"table": "sales"}
        source = {"kind": "sql", "url_env": "SHOP_URL", **what, **settings}
        return make_source(problem(Path(), source, zone, columns))

    def times(self, kind: str, *times: str) -> None:
        """A table of plain rows at these times, with the units 0, 1, 2, ..."""
        values = ", ".join(f"('{time}', {at})" for at, time in enumerate(times))
        self.run(
            "DROP TABLE IF EXISTS visits",
            f"CREATE TABLE visits (date {kind}, units INTEGER)",
            f"INSERT INTO visits VALUES {values}",
        )


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with server(programs) as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/shop.db"
    else:
        url = request.getfixturevalue("postgresql_url")
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg2:"))
    database = Database(url, engine)
    day = "TEXT" if request.param == "sqlite" else "DATE"
    values = ", ".join(str(row).replace("None", "NULL") for row in ROWS)
    database.run(
        "DROP TABLE IF EXISTS sales",
        f"CREATE TABLE sales (date {day}, shop TEXT, units NUMERIC, updated TIMESTAMP)",
        f"INSERT INTO sales VALUES {values}",
    )
    monkeypatch.setenv("SHOP_URL", url)
    yield database
    engine.dispose()


QUERY = "SELECT date, shop, units FROM sales WHERE date >= :start AND date < :end;"


@pytest.mark.parametrize("settings", [{}, {"chunk_rows": 1}, {"query": QUERY}])
def test_a_table_or_query_gives_the_rows_of_the_days(
    database: Database, settings: dict[str, Any]
) -> None:
    source = database.source(**settings)
    rows = source.read(dt.date(2026, 1, 2), dt.date(2026, 1, 4))
    assert rows.columns.tolist() == ["date", "shop", "units"]
    assert day_keys(rows) == ["2026-01-02", "2026-01-02", "2026-01-03"]
    assert sorted(rows["shop"]) == ["007", "8", "NA"]
    assert rows["units"].dropna().tolist() == [2.0, 4.0]
    assert str(rows["date"].dtype) == "datetime64[ns]"
    assert str(rows["units"].dtype) == "float64"
    assert source.span() == (dt.date(2026, 1, 1), dt.date(2026, 1, 3))
    assert len(source.read(dt.date(2027, 1, 1), dt.date(2027, 2, 1))) == 0
    assert source.columns()[:3] == ["date", "shop", "units"]


def test_a_table_in_a_schema(database: Database) -> None:
    schema = "main" if database.engine.dialect.name == "sqlite" else "public"
    assert len(database.source(table=f"{schema}.sales").read(*JANUARY)) == 4


@pytest.mark.parametrize("updated", [None, "updated"])
def test_a_fingerprint_changes_with_its_day_alone(database: Database, updated: str | None) -> None:
    source = database.source(updated_column=updated, chunk_rows=2)
    before = source.fingerprints(*JANUARY)
    assert list(before) == ["2026-01-01", "2026-01-02", "2026-01-03"]
    assert source.fingerprints(dt.date(2026, 1, 2), dt.date(2026, 1, 3)) == {
        "2026-01-02": before["2026-01-02"]
    }
    if updated:
        assert before["2026-01-02"].startswith("2 rows, updated 2026-01-02 05:00:00")
    database.run(
        "UPDATE sales SET units = 9, updated = '2026-02-01 00:00:00' WHERE shop = 'NA'",
        "INSERT INTO sales VALUES ('2026-01-04', 'x', 1, NULL)",
    )
    after = source.fingerprints(*JANUARY)
    assert [day for day in after if after[day] != before.get(day)] == ["2026-01-02", "2026-01-04"]
    database.run("DELETE FROM sales WHERE date = '2026-01-01'")
    assert list(source.fingerprints(*JANUARY)) == ["2026-01-02", "2026-01-03", "2026-01-04"]


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_days_on_which_the_clocks_change(database: Database, day: str) -> None:
    # Berlin is at +01:00 in winter and +02:00 in summer: the first and last half hours of the day
    before, after = ("+01:00", "+02:00") if "03" in day else ("+02:00", "+01:00")
    before_day = str(dt.date.fromisoformat(day) - dt.timedelta(days=1))
    after_day = str(dt.date.fromisoformat(day) + dt.timedelta(days=1))
    times = [
        f"{before_day} 23:30:00{before}",
        f"{day} 00:30:00{before}",
        f"{day} 23:30:00{after}",
        f"{after_day} 00:30:00{after}",
    ]
    sqlite = database.engine.dialect.name == "sqlite"
    database.times("TEXT" if sqlite else "TIMESTAMPTZ", *times)
    window = dt.date.fromisoformat(day), dt.date.fromisoformat(after_day)
    query = "SELECT date, units FROM visits WHERE date >= :start AND date < :end"
    for settings in ({"table": "visits"}, {"query": query}):
        source = database.source(BERLIN, PLAIN, **settings)
        assert source.read(*window)["units"].tolist() == [1, 2]
        assert list(source.fingerprints(*window)) == [day]
        assert source.span() == (
            dt.date.fromisoformat(before_day),
            dt.date.fromisoformat(after_day),
        )
    updates = database.source(BERLIN, PLAIN, table="visits", updated_column="units")
    assert updates.fingerprints(*window) == {day: "2 rows, updated 2"}


def test_times_without_a_zone_are_local(database: Database) -> None:
    times = ("2026-01-01 23:59:59", "2026-01-02 00:00:00", "2026-01-02 23:59:59", "2026-01-03")
    database.times("TIMESTAMP", *times)
    window = dt.date(2026, 1, 2), dt.date(2026, 1, 3)
    rows = database.source("Asia/Tokyo", PLAIN, table="visits").read(*window)
    assert rows["units"].tolist() == [1, 2]


def test_a_mixture_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path}/shop.db")
    database = Database(str(engine.url), engine)
    database.times("TEXT", "2026-01-01 10:00:00", "2026-01-01T10:00:00Z")
    monkeypatch.setenv("SHOP_URL", database.url)
    for size in (1, 2):
        source = database.source(columns=PLAIN, table="visits", chunk_rows=size)
        with pytest.raises(SourceError, match="with and without a time zone: '2026") as caught:
            source.read(*JANUARY)
        assert "table visits" in str(caught.value)
    engine.dispose()


def test_nothing_can_be_written(database: Database) -> None:
    query = "DELETE FROM sales WHERE date >= :start AND date < :end RETURNING date, shop, units"
    if database.engine.dialect.name == "postgresql":
        database.run(
            "CREATE OR REPLACE FUNCTION wipe() RETURNS TABLE (date DATE, shop TEXT, units NUMERIC) "
            "AS 'DELETE FROM sales RETURNING date, shop, units' LANGUAGE SQL"
        )
        query = "SELECT * FROM wipe() WHERE date >= :start AND date < :end"
    with pytest.raises(SourceError, match="cannot read the query of the database in SHOP_URL"):
        database.source(query=query).read(*JANUARY)
    with database.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM sales").scalar() == 4


def test_what_is_missing_is_named(database: Database) -> None:
    with pytest.raises(SourceError, match=r"cannot read table orders .*; correct source\.table"):
        database.source(table="orders").read(*JANUARY)
    with pytest.raises(SourceError, match=r"lacks the column\(s\) price; it has date, shop"):
        database.source(columns=SHOPS | {"numeric": ["price"]}).read(*JANUARY)
    with pytest.raises(SourceError, match="cannot read the query"):
        database.source(query="SELECT x FROM sales WHERE :start < :end").read(*JANUARY)


def test_a_recording_in_a_database_is_replayed(database: Database) -> None:
    days = [dt.date(2017, 1, 1) + dt.timedelta(days=n) for n in range(364)]
    database.times("TEXT" if database.engine.dialect.name == "sqlite" else "DATE", *map(str, days))
    recording = {"kind": "sql", "url_env": "SHOP_URL", "table": "visits"}
    source = make_source(problem(Path(), {"kind": "replay", "source": recording}, columns=PLAIN))
    rows = source.read(dt.date(2017, 12, 30), dt.date(2018, 1, 2))
    assert rows["units"].tolist() == [363, 0, 1]
    assert list(source.fingerprints(dt.date(2026, 1, 4), dt.date(2026, 1, 6))) == [
        "2026-01-04",
        "2026-01-05",
    ]
    # the Thursday that is nearest to 1 January lies before the recording, which holds 52 weeks
    assert source.fingerprints(dt.date(2026, 1, 1), dt.date(2026, 1, 2)) == {}


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (None, "SHOP_URL is not set; set it to the SQLAlchemy URL"),
        (f"postgresql://me:{PASSWORD}@127.0.0.1:1/shop", "does not answer: .*Connection refused"),
        (f"postgresql://me:{PASSWORD}@127.0.0.1:port/shop", "holds no SQLAlchemy URL"),
        (f"postgresql://me:s3cret#tell@127.0.0.1/shop:{PASSWORD}", "SHOP_URL"),
        (f"me:{PASSWORD}", "holds no SQLAlchemy URL"),
        (f"oracle+oracledb://me:{PASSWORD}@127.0.0.1/shop", "driver oracle.* is not installed"),
        (f"nothing://me:{PASSWORD}@127.0.0.1/shop", "SHOP_URL"),
        (f"postgresql://me:{PASSWORD}@127.0.0.1/shop?what={PASSWORD}", "SHOP_URL"),
        (f"postgresql://127.0.0.1:1/shop?user=me&password={PASSWORD}", "does not answer"),
        ("sqlite:////nowhere/shop.db", "there is no file /nowhere/shop.db"),
    ],
)
def test_a_secret_is_never_told(
    monkeypatch: pytest.MonkeyPatch, url: str | None, message: str
) -> None:
    monkeypatch.delenv("SHOP_URL", raising=False)
    if url is not None:
        monkeypatch.setenv("SHOP_URL", url)
    source = Database("", sa.create_engine("sqlite://")).source()
    with pytest.raises(SourceError, match=message) as caught:
        source.read(*JANUARY)
    told = "".join(traceback.format_exception(caught.value)) + f"{source} {source.stamp()}"
    assert not [secret for secret in SECRETS if secret in told]


def test_a_wrong_password_is_not_told(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    if database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite knows no passwords")
    monkeypatch.setenv("SHOP_URL", database.url.replace(PASSWORD, "hunter2"))
    with pytest.raises(SourceError, match="password authentication failed") as caught:
        database.source().read(*JANUARY)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
