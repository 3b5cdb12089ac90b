"""CSV of any dialect, read as text: what is a number or a date is decided by its column."""

import codecs
import csv
import io
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

from mlops_assets.lazy import pa, pc, pyarrow_csv
from mlops_assets.ml.written_numbers import ungrouped, without_unit
from mlops_assets.project import CsvSettings, Project
from mlops_assets.resources.sources.base import SourceError

SAMPLE = 1 << 16  # bytes that show the dialect
DELIMITERS, QUOTES = ",;\t|", "\"'"
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
COMMA = r"^\s*[-+]?\d*,\d+(?:[eE][-+]?\d+)?\s*$"
GROUPED = r"^\s*[-+]?[1-9]\d{0,2}(?:,\d{3})+\s*$"
PREAMBLE_ROWS, MOST_REGULAR = 200, 0.9  # by which lines above a header are told
MOST_TORN = 0.5  # with as large a share of torn rows, none of them is trusted
POINT = r"^\s*[-+]?[\d.,]*\.\d"


@dataclass(frozen=True)
class Dialect:
    """How a file is written, and its header."""

    delimiter: str
    quote: str
    header: list[str]
    length: int
    """How many bytes the header takes in UTF-8."""


def csv_table(
    data: bytes, place: str, settings: CsvSettings, project: Project, left_out: list[str]
) -> tuple[Any, list[str]]:
    """The columns of a CSV file that the settings name, as an Arrow table of text, and its header.

    Numbers are written with a point; an empty field is missing, `NA` is text. Rows with more or
    fewer fields than the header are told in `left_out`. SourceError, also where many are so.
    """
    data = _as_utf8(data, place, settings)
    dialect = _dialect(data[:SAMPLE].decode("utf-8", "ignore"), place, settings, project)
    types = {name: pa.string() for name in project.source_columns if name in dialect.header}
    body = memoryview(data)[dialect.length :]
    if not bytes(body[:SAMPLE]).strip():
        empty = {name: pa.array([], kind) for name, kind in types.items()}
        return pa.table(empty), dialect.header
    torn: list[Any] = []

    def leave_out(row: Any) -> str:
        torn.append(row)
        return "skip"

    try:
        table = pyarrow_csv.read_csv(
            pa.BufferReader(pa.py_buffer(body)),
            pyarrow_csv.ReadOptions(column_names=dialect.header),
            pyarrow_csv.ParseOptions(
                delimiter=dialect.delimiter,
                quote_char=dialect.quote,
                newlines_in_values=dialect.quote.encode() in data,
                invalid_row_handler=leave_out,
            ),
            pyarrow_csv.ConvertOptions(
                column_types=types,
                include_columns=list(types),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        raise SourceError(f"cannot read {place}: {error}; correct the row") from error
    if torn:
        row = torn[0]
        message = (
            f"{place} has {len(torn)} row(s) with another number of fields than its header, such "
            f"as {row.text!r}: {row.actual_columns} for {row.expected_columns}; correct them"
        )
        if len(torn) >= MOST_TORN * (len(torn) + len(table)):
            remedy = "; where the header is further down, set csv.skip_lines of the source"
            raise SourceError(message + remedy)
        left_out.append(message)
    return _with_points(table, place, settings, project), dialect.header


def csv_header(sample: bytes, place: str, settings: CsvSettings, project: Project) -> list[str]:
    """The names of the columns, from the first bytes of a file. SourceError."""
    text = _decoded(sample, place, settings, whole=False)
    return _dialect(text, place, settings, project).header


def _as_utf8(data: bytes, place: str, settings: CsvSettings) -> bytes:
    if settings.encoding in (None, "utf-8", "utf8") and not data.startswith(tuple(MARKS)):
        try:
            data.decode()
        except UnicodeDecodeError:
            pass
        else:
            _refuse_binary(b"\0" in data, place)
            return data
    return _decoded(data, place, settings, whole=True).encode()


def _decoded(data: bytes, place: str, settings: CsvSettings, *, whole: bool) -> str:
    marked = next((name for mark, name in MARKS.items() if data.startswith(mark)), None)
    guesses = ("utf-8", "cp1252", "latin-1")
    candidates = (marked,) if marked else (settings.encoding,) if settings.encoding else guesses
    wrong: UnicodeDecodeError | None = None
    for encoding in candidates:
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(data, whole)
        except UnicodeDecodeError as error:
            wrong = error
        else:
            _refuse_binary("\0" in text, place)
            return text
    raise SourceError(f"cannot read {place}: {wrong}; set csv.encoding of the source") from wrong


def _refuse_binary(is_binary: bool, place: str) -> None:
    if is_binary:
        raise SourceError(f"cannot read {place}: it holds zero bytes and is no CSV")


def _dialect(sample: str, place: str, settings: CsvSettings, project: Project) -> Dialect:
    """The dialect whose header has the most columns that the settings name."""
    best: tuple[tuple[int, bool, int], Dialect] | None = None
    delimiters, quotes = settings.delimiter or DELIMITERS, settings.quote or QUOTES
    for quote, delimiter in product(quotes, delimiters):
        lines = io.StringIO(sample, newline="").readlines()
        reader = csv.reader(lines[settings.skip_lines :], delimiter=delimiter, quotechar=quote)
        try:
            header = [name.strip() for name in next((row for row in reader if row), [])]
            length = len("".join(lines[: settings.skip_lines + reader.line_num]).encode())
            first = next((row for row in reader if row), header)
        except csv.Error as error:
            raise SourceError(f"cannot read {place}: {error}") from error
        found = sum(name in header for name in project.source_columns)
        score = found, len(first) == len(header), len(header)
        if best is None or score > best[0]:
            best = score, Dialect(delimiter, quote, header, length)
    if best is None or not any(best[1].header):
        raise SourceError(f"cannot read {place}: it is empty; a CSV begins with a header")
    if not best[0][0]:
        _refuse_preamble(sample, best[1], place, settings)
    return best[1]


def _refuse_preamble(sample: str, dialect: Dialect, place: str, settings: CsvSettings) -> None:
    """SourceError where nearly all lines but the first ones have the same number of fields."""
    others = settings.delimiter or DELIMITERS
    for delimiter in dict.fromkeys([dialect.delimiter, *others]):
        reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
        rows = [(reader.line_num, row) for row in islice(reader, PREAMBLE_ROWS) if row]
        counts = [len(row) for _, row in rows]
        usual = max(set(counts), key=counts.count)
        at = counts.index(usual)
        regular = counts[at:].count(usual) >= MOST_REGULAR * len(counts[at:])
        if usual == 1 or not regular:
            continue
        if at and rows[at][0] > settings.skip_lines + 1:
            above, header = delimiter.join(rows[0][1]), delimiter.join(rows[at][1])
            raise SourceError(
                f"{place} does not begin with its header, but with {above!r}; that seems to be "
                f"line {rows[at][0]}, {header!r}: set csv.skip_lines of the source to "
                f"{rows[at][0] - 1}"
            )
        return


def _with_points(table: Any, place: str, settings: CsvSettings, project: Project) -> Any:
    """The table with numbers written with a point and without groups of thousands."""
    columns = {name: table[name] for name in project.number_columns if name in table.column_names}
    for name, unit in project.columns.units.items():
        if name in columns:
            columns[name] = without_unit(columns[name], unit)
    if settings.thousands is not None:
        columns = {
            name: pc.replace_substring(column, settings.thousands, "")
            for name, column in columns.items()
        }
    else:
        columns = {name: ungrouped(column, settings.decimal) for name, column in columns.items()}

    def example(pattern: str) -> str | None:
        for name, column in columns.items():
            found = column.filter(pc.match_substring_regex(column, pattern))
            if len(found):
                return f"{found[0].as_py()!r} in column {name!r}"
        return None

    comma = example(COMMA) if settings.decimal != "." else None
    if comma is not None:
        point = example(POINT)
        if point is not None:
            raise SourceError(
                f"{place} writes numbers with a comma and with a point: {comma}, {point}; set "
                "csv.decimal of the source, and csv.thousands where digits are grouped"
            )
        grouped = example(GROUPED) if settings.decimal is None else None
        rest = (
            pc.any(
                pc.and_(
                    pc.match_substring_regex(column, COMMA),
                    pc.invert(pc.match_substring_regex(column, GROUPED)),
                )
            ).as_py()
            for column in columns.values()
        )
        if grouped is not None and not any(rest):
            raise SourceError(
                f"{place} holds {grouped}, whose comma could group thousands or begin the "
                "fraction; set csv.decimal or csv.thousands of the source"
            )
        columns = {name: pc.replace_substring(column, ",", ".") for name, column in columns.items()}
    changed = {name: columns.get(name, table[name]) for name in table.column_names}
    return pa.table(changed)
