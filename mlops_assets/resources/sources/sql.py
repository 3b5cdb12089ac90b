"""Rows of a database, in one read-only transaction for each question."""

from __future__ import annotations

import datetime as dt
import os
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from mlops_assets.lazy import pa, pd, sa
from mlops_assets.ml.values import array, joined_tables
from mlops_assets.project import Project, SqlSettings
from mlops_assets.resources.sources.base import (
    LeavesOut,
    SourceError,
    UnreachableError,
    register,
)
from mlops_assets.resources.sources.dates import local_times, midnight
from mlops_assets.resources.sources.rows import (
    DayHashes,
    Window,
    finished,
    joined,
    require,
)
from mlops_assets.resources.storage import Storage

ONE_DAY = dt.timedelta(days=1)
ALWAYS = dt.date(1900, 1, 1), dt.date(2200, 1, 1)
CONNECT_SECONDS = 5
EXAMPLE = "postgresql://USER:PASSWORD@HOST/DATABASE or sqlite:////FOLDER/FILE.db"


@register("sql")
class SqlSource(LeavesOut):
    """A table, or a query with `:start` and `:end`, behind a SQLAlchemy URL.

    The URL comes from an environment variable when it is needed, and is told nowhere.
    """

    def __init__(
        self, settings: SqlSettings, project: Project, storage: Storage | None = None
    ) -> None:
        self.settings = settings
        self.project = project
        self.date = project.columns.date
        super().__init__()

    def __str__(self) -> str:
        what = f"table {self.settings.table}" if self.settings.table else "the query"
        return f"{what} of the database in {self.settings.url_env}"

    def read(self, start: dt.date, end: dt.date) -> pd.DataFrame:
        return self._found((start, end))

    def fingerprints(self, start: dt.date, end: dt.date) -> dict[str, str]:
        if self.settings.updated_column is not None:
            return self._newest_updates((start, end), self.settings.updated_column)
        hashes = DayHashes()
        rows = self._found((start, end))
        if len(rows):
            hashes.add(rows, self.date)
        return hashes.texts(start, end)

    def span(self) -> tuple[dt.date, dt.date] | None:
        date: sa.ColumnClause[Any] = sa.column(self.date)
        with self._asked() as ask:
            [first, last] = next(ask([sa.func.min(date), sa.func.max(date)], ALWAYS))[0]
        if first is None:
            return None
        days = self._days([first, last])
        return days.iloc[0].date(), days.iloc[1].date()

    def stamp(self) -> str | None:
        # What a table's columns are is asked again whenever one seems to be missing.
        return self.settings.model_dump_json()

    def columns(self) -> list[str]:
        with self._connected() as connection:
            rows = self._rows(connection, ALWAYS)
            none = sa.select(sa.text("*")).select_from(rows).where(sa.false())
            return list(connection.execute(none).keys())

    def sample(self, most_rows: int) -> tuple[Any, bool]:
        """A table of all columns of the first rows, and whether they are all rows. SourceError."""
        with self._connected() as connection:
            rows = self._rows(connection, ALWAYS)
            some = sa.select(sa.text("*")).select_from(rows).limit(most_rows)
            found = connection.execute(some)
            names, values = list(found.keys()), found.fetchall()
        columns = zip(*values, strict=True) if values else [()] * len(names)
        return pa.table([*map(array, columns)], names=names), len(values) < most_rows

    def _found(self, window: Window) -> pd.DataFrame:
        """The rows of the days, fetched as many at a time as the settings say."""
        there = self.columns()
        require(self.project, there, str(self))
        names = [name for name in self.project.source_columns if name in there]
        with self._asked() as ask:
            tables = [
                pa.table([*map(array, zip(*chunk, strict=True))], names=names)
                for chunk in ask([sa.column(name) for name in names], window)
            ]
        if not tables:
            return joined([], self.date, self.project.column_names)
        left_out: list[str] = []
        table = joined_tables(tables)
        rows = finished(self.project, table, str(self), window, left_out=left_out)
        self.leave_out(left_out)
        return joined([rows], self.date, self.project.column_names)

    def _newest_updates(self, window: Window, updated: str) -> dict[str, str]:
        """How many rows each day has, and the last of their updates."""
        found: dict[str, tuple[int, Any]] = {}
        with self._asked() as ask:
            date: sa.ColumnClause[Any] = sa.column(self.date)
            wanted = [date, sa.func.count(), sa.func.max(sa.column(updated))]
            for chunk in ask(wanted, window, group=date):
                days = self._days([row[0] for row in chunk]).dt.strftime("%Y-%m-%d")
                for day, (_, count, newest) in zip(days, chunk, strict=True):
                    rows, before = found.get(day, (0, None))
                    stamps = [stamp for stamp in (before, newest) if stamp is not None]
                    found[day] = rows + count, max(stamps, default=None)
        return {
            day: f"{count} rows, updated {_in_utc(newest)}"
            for day, (count, newest) in sorted(found.items())
            if str(window[0]) <= day < str(window[1])
        }

    def _days(self, values: list[Any]) -> pd.Series[pd.Timestamp]:
        place = f"{self}: column {self.date!r}"
        return local_times(array(values), place, self.project.time_zone).days

    @contextmanager
    def _asked(self) -> Iterator[Callable[..., Iterator[Any]]]:
        """A way to ask for expressions over the rows of some days, in chunks."""
        with self._connected() as connection:

            def ask(wanted: list[Any], window: Window, group: Any = None) -> Iterator[Any]:
                statement = sa.select(*wanted).select_from(self._rows(connection, window))
                if self.settings.query is None:
                    start, end = self._bounds(connection, window)
                    date: sa.ColumnClause[Any] = sa.column(self.date)
                    statement = statement.where(date >= start, date < end)
                if group is not None:
                    statement = statement.group_by(group)
                size = self.settings.chunk_rows
                found = connection.execution_options(yield_per=size).execute(statement)
                yield from found.partitions(size)

            yield ask

    def _rows(self, connection: sa.Connection, window: Window) -> Any:
        """The table, or the query with its days filled in."""
        if self.settings.query is not None:
            start, end = self._bounds(connection, window)
            query = sa.text(self.settings.query.strip().rstrip(";"))
            return query.bindparams(start=start, end=end).columns().subquery("source_rows")
        schema, _, name = (self.settings.table or "").rpartition(".")
        return sa.table(name, schema=schema or None)

    def _bounds(self, connection: sa.Connection, window: Window) -> tuple[Any, Any]:
        """The local midnights of the days as the database compares them with its dates."""
        zone = self.project.time_zone
        if connection.dialect.name == "postgresql":
            # The session is in the project's zone, in which PostgreSQL takes dates and times
            # without a zone as well.
            return midnight(window[0], zone), midnight(window[1], zone)
        if connection.dialect.name == "sqlite":
            # Dates are text there, perhaps with an offset: a day more on both sides, cut later.
            return str(window[0] - ONE_DAY), str(window[1] + ONE_DAY)
        return tuple(dt.datetime.combine(day, dt.time()) for day in window)  # type: ignore[return-value]

    @contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        """A read-only transaction. SourceError, without the URL, for whatever goes wrong."""
        url = self._url()
        problem: SourceError | None = None
        engine: sa.Engine | None = None
        try:
            engine = sa.create_engine(
                url, poolclass=sa.NullPool, hide_parameters=True, connect_args=_patience(url)
            )
            with engine.connect() as connection:
                self._only_read(connection)
                yield connection
        except (sa.exc.SQLAlchemyError, ImportError, OSError, TypeError, ValueError) as error:
            problem = self._problem(error, url)
        finally:
            if engine is not None:
                engine.dispose()
        # raised here, without the error before it, which may hold the URL
        if problem is not None:
            raise problem from None

    def _url(self) -> sa.URL:
        name = self.settings.url_env
        text = os.environ.get(name, "").strip()
        if not text:
            raise UnreachableError(
                f"the environment variable {name} is not set; set it to the SQLAlchemy URL of the "
                f"database, such as {EXAMPLE}"
            )
        url: sa.URL | None = None
        with suppress(sa.exc.ArgumentError, ValueError):  # whose words may hold the password
            url = sa.make_url(text)
        if url is None:
            raise SourceError(
                f"the environment variable {name} holds no SQLAlchemy URL; write {EXAMPLE}, and "
                "special characters of the password as %XX"
            )
        if url.drivername in ("postgres", "postgresql"):
            url = url.set(drivername="postgresql+psycopg2")
        if url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:"):
            file = str(url.database)
            if not file.startswith("file:") and not os.path.exists(file):
                raise UnreachableError(f"{self}: there is no file {file}; correct {name}")
        return url

    def _only_read(self, connection: sa.Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            connection.exec_driver_sql(
                "SELECT set_config('TimeZone', %s, true)", (self.project.time_zone,)
            )
        elif connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA query_only = ON")

    def _problem(self, error: Exception, url: sa.URL) -> SourceError:
        """What went wrong in words, without the password."""
        if isinstance(error, ImportError):
            return SourceError(
                f"{self}: the driver {url.drivername} is not installed; for PostgreSQL install "
                "the extra: pip install 'mlops_assets[postgresql]'"
            )
        text = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        for secret in _secrets(url):
            text = text.replace(secret, "***")
        if isinstance(error, sa.exc.OperationalError) and _connection_failed(error):
            return UnreachableError(
                f"{self} does not answer: {text}; see whether it runs and whether "
                f"{self.settings.url_env} is right"
            )
        what = "table" if self.settings.table else "query"
        return SourceError(f"cannot read {self}: {text}; correct source.{what}")


def _secrets(url: sa.URL) -> list[str]:
    """What an error must not tell, the longest first."""
    hidden = [str(url.password or "")]
    hidden += [str(value) for key, value in url.query.items() if "pass" in key.lower()]
    written = [urllib.parse.quote(secret) for secret in hidden]
    found = {*hidden, *written, url.render_as_string(hide_password=False)} - {""}
    return sorted(found, key=len, reverse=True)


def _connection_failed(error: Any) -> bool:
    """Whether an error came while connecting, before any statement."""
    return error.statement is None or bool(error.connection_invalidated)


def _patience(url: sa.URL) -> dict[str, Any]:
    """So that a database that is down does not hold up everything else."""
    waits = url.get_backend_name() == "postgresql" and "connect_timeout" not in url.query
    return {"connect_timeout": CONNECT_SECONDS} if waits else {}


def _in_utc(stamp: Any) -> str:
    zoned = isinstance(stamp, dt.datetime) and stamp.tzinfo is not None
    return str(stamp.astimezone(dt.UTC) if zoned else stamp)
