"""The settings of sources: where rows come from."""

import codecs
import re
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

import pydantic
from pydantic import AfterValidator, Field

from mlops_assets.ml.registries import choose
from mlops_assets.ml.settings import Column, Section, Settings
from mlops_assets.project.custom_sources import CUSTOM_SOURCES

REPLAY_DAYS = 364  # 52 weeks, after which a recorded day is played again at the earliest


def _encoding(value: str) -> str:
    try:
        codecs.lookup(value)
    except LookupError as error:
        raise ValueError(f"{value!r} is no encoding, such as utf-8 or latin-1") from error
    return value


Format = Literal["csv", "parquet", "excel", "json", "feather"]


class DateOrder(StrEnum):
    """How dates such as 01/02/2026 are meant."""

    DAY_FIRST = "day_first"
    MONTH_FIRST = "month_first"


class CsvSettings(Settings):
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """What separates the fields; found out where it is left out."""
    quote: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """What surrounds fields that hold the delimiter; found out where it is left out."""
    decimal: Literal[".", ","] | None = None
    """What separates the fraction of a number; found out where it is left out."""
    thousands: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """What groups the digits of large numbers; none where it is left out."""
    encoding: Annotated[str, AfterValidator(_encoding)] | None = None
    """UTF-8, else Windows' Latin-1, where it is left out; a byte order mark always counts."""
    skip_lines: Annotated[int, Field(ge=0, le=1000)] = 0
    """How many lines stand above the header."""
    dates: DateOrder | None = None
    """Whether 01/02/2026 is 1 February (`day_first`) or 2 January (`month_first`); found out
    where a file tells. Dates such as 2026-02-01 need it never."""


class FileSettings(Section):
    kind: Literal["file"]
    """Rows of files, by their own dates."""
    path: Annotated[str, Field(min_length=1)]
    """CSV, Parquet, Excel, JSON or Feather: one file, a glob or a folder (also one with parts such
    as `date=2026-01-31/`), relative to the folder of this settings file, or an fsspec URL."""
    format: Format | None = None
    """Where it is left out, by how a name ends: .parquet, .pq; .xlsx, .xlsm, .xls, .ods; .json,
    .jsonl, .ndjson; .feather, .arrow; else CSV."""
    sheet: Annotated[str, Field(min_length=1)] | None = None
    """The sheet of an Excel file; the only one with rows where it is left out."""
    csv: CsvSettings = CsvSettings()
    """The dialect of CSV files, where it cannot be found out."""


class LandingSettings(Section):
    kind: Literal["landing"]
    """Rows of files that keep arriving in a folder."""
    path: Annotated[str, Field(min_length=1)]
    """The folder, relative to that of this settings file, or an fsspec URL."""
    pattern: Annotated[str, Field(min_length=1)] = "*"
    """The names of the files to take, such as `sales_*.csv`."""
    settle_seconds: Annotated[int, Field(ge=0, le=86_400, strict=True)] = 60
    """For how long size and time of a file must stay the same until it counts as complete."""
    format: Format | None = None
    """Where it is left out, by how a name ends: .parquet, .pq; .xlsx, .xlsm, .xls, .ods; .json,
    .jsonl, .ndjson; .feather, .arrow; else CSV."""
    sheet: Annotated[str, Field(min_length=1)] | None = None
    """The sheet of an Excel file; the only one with rows where it is left out."""
    csv: CsvSettings = CsvSettings()
    """The dialect of CSV files, where it cannot be found out."""


class SqlSettings(Section):
    kind: Literal["sql"]
    """Rows of a database."""
    url_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    """The name of the environment variable that holds the SQLAlchemy URL of the database. The
    URL itself, with its password, never stands in the settings."""
    table: Annotated[str, Field(min_length=1)] | None = None
    """A table or view, with its schema before a dot where it needs one. Or a query."""
    query: Annotated[str, Field(min_length=1)] | None = None
    """A SELECT with `:start` and `:end`, the local midnights between which rows are wanted, the
    latter excluded."""
    updated_column: Column | None = None
    """A column that grows whenever a row is written, so that corrected days are found cheaply;
    without one all rows of the days are compared."""
    chunk_rows: Annotated[int, Field(ge=1, le=10_000_000, strict=True)] = 100_000
    """How many rows are fetched at a time."""

    @pydantic.model_validator(mode="after")
    def _table_or_query(self) -> Self:
        if (self.table is None) == (self.query is None):
            raise ValueError("name either a table or a query")
        for name in ("start", "end"):
            if self.query is not None and not re.search(rf"(?<![:\w]):{name}\b", self.query):
                raise ValueError(
                    f"the query lacks :{name}; compare the date with :start (included) and "
                    ":end (excluded)"
                )
        return self


class CustomSettings(Section):
    kind: Literal["custom"]
    """Rows from a source that a plugin registers."""
    use: str | dict[str, dict[str, Any]]
    """Its name, with options where it has any."""

    @pydantic.field_validator("use")
    @classmethod
    def _known(cls, use: str | dict[str, dict[str, Any]]) -> str | dict[str, dict[str, Any]]:
        choose(CUSTOM_SOURCES, use)
        return use


class ReplaySettings(Section):
    kind: Literal["replay"]
    """A finished recording, played again for ever: every day gets the recorded day of the same
    weekday, among the last 364, that is at most three days from its date of the year."""
    path: Annotated[str, Field(min_length=1)] | None = None
    """Short for a source of kind `file` with this path."""
    source: (
        Annotated[FileSettings | SqlSettings | CustomSettings, Field(discriminator="kind")] | None
    ) = None
    """Any other source; it must hold 364 days."""

    @pydantic.model_validator(mode="after")
    def _path_or_source(self) -> Self:
        if (self.path is None) == (self.source is None):
            raise ValueError("name either the path of a file or a source to replay")
        return self

    @property
    def recording(self) -> FileSettings | SqlSettings | CustomSettings:
        """The source that is replayed."""
        return self.source or FileSettings(kind="file", path=self.path or "")


SourceSettings = FileSettings | LandingSettings | SqlSettings | CustomSettings | ReplaySettings
SOURCE_SETTINGS: dict[str, type[Section]] = {
    "file": FileSettings,
    "landing": LandingSettings,
    "sql": SqlSettings,
    "custom": CustomSettings,
    "replay": ReplaySettings,
}
