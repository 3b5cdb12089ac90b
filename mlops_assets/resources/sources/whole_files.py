"""Files that are read as a whole: Excel, JSON, JSON lines, Feather."""

from __future__ import annotations

import io
import json
from typing import Any

from mlops_assets.lazy import pa, python_calamine
from mlops_assets.ml.values import array
from mlops_assets.project import FileSettings, Project
from mlops_assets.resources.sources.base import SourceError
from mlops_assets.resources.sources.csv_files import SAMPLE, csv_header, csv_table

HEAD = 20  # rows among which the header is
MOSTLY = 0.8  # of the cells of the widest of these that a header fills


class SheetsError(SourceError):
    """An Excel file has several sheets, and none is named."""

    def __init__(self, place: str, sheets: list[str]) -> None:
        self.sheets = sheets
        told = ", ".join(sheets)
        super().__init__(f"{place} has several sheets: {told}; set source.sheet to one of them")


def header_of(
    handle: Any, kind: str, place: str, settings: FileSettings, project: Project
) -> list[str]:
    """The names of the columns of a file that is no Parquet. SourceError."""
    if kind == "csv":
        return csv_header(handle.read(SAMPLE), place, settings.csv, project)
    return list(whole_table(handle.read(), kind, place, settings.sheet).column_names)


def read_all(
    data: bytes,
    kind: str,
    place: str,
    settings: FileSettings,
    project: Project,
    left_out: list[str],
) -> tuple[Any, list[str]]:
    """The columns that the settings name as an Arrow table, and the names of all. SourceError."""
    if kind == "csv":
        return csv_table(data, place, settings.csv, project, left_out)
    table = whole_table(data, kind, place, settings.sheet)
    header = table.column_names
    return table.select(
        [at for at, name in enumerate(header) if name in project.source_columns]
    ), header


def whole_table(data: bytes, kind: str, place: str, sheet: str | None = None) -> Any:
    """All columns of a file as an Arrow table. SourceError."""
    try:
        match kind:
            case "excel":
                return _excel(data, place, sheet)
            case "json":
                return _of_records(_records(data.decode("utf-8-sig"), place))
            case _:
                return _feather(data)
    except (ValueError, pa.ArrowException) as error:
        raise SourceError(f"cannot read {place}: {error}") from error


def _excel(data: bytes, place: str, sheet: str | None) -> Any:
    """The sheet that is named, else the only one that has rows."""
    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        known = book.sheet_names
        asked = known if sheet is None else [name for name in known if name == sheet]
        found = {name: book.get_sheet_by_name(name).to_python() for name in asked}
    except python_calamine.CalamineError as error:
        raise SourceError(f"cannot read {place}: {error}; save it again, or as CSV") from error
    filled = {name: rows for name, rows in found.items() if any(map(any, rows))}
    if sheet is None and len(filled) > 1:
        raise SheetsError(place, list(filled))
    if not filled:
        told = "no rows" if sheet is None or sheet in known else f"no sheet {sheet!r}"
        raise SourceError(f"{place} has {told}; its sheets are: {', '.join(known)}")
    [rows] = filled.values()
    return _of_cells([[None if cell == "" else cell for cell in row] for row in rows])


def _of_cells(rows: list[list[Any]]) -> Any:
    """A table of rows, of which the header is the first that is nearly as wide as any below it."""
    widths = [sum(cell is not None for cell in row) for row in rows]
    enough = MOSTLY * max(widths[:HEAD])
    header = next(at for at, width in enumerate(widths) if width >= enough)
    names = ["" if cell is None else str(cell).strip() for cell in rows[header]]
    body = [row for row, width in zip(rows, widths, strict=True) if width][
        _before(widths, header) :
    ]
    columns = list(zip(*body, strict=True)) or [()] * len(names)
    kept = [at for at, name in enumerate(names) if name]
    cells = [_whole(array(columns[at])) for at in kept]
    return pa.table(cells, names=[names[at] for at in kept])


def _before(widths: list[int], header: int) -> int:
    """How many rows that hold anything end with the header."""
    return sum(width > 0 for width in widths[: header + 1])


def _whole(column: Any) -> Any:
    """Whole numbers as such: Excel knows only those with fractions."""
    if not pa.types.is_floating(column.type):
        return column
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        return column


def _records(text: str, place: str) -> list[dict[str, Any]]:
    """The objects of JSON lines, of a list, or of the only list in an object."""
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        whole = [json.loads(line) for line in text.splitlines() if line.strip()]
    if isinstance(whole, dict):
        lists = [value for value in whole.values() if isinstance(value, list)]
        whole = lists[0] if len(lists) == 1 else [whole]
    if not isinstance(whole, list) or not all(isinstance(row, dict) for row in whole):
        raise SourceError(
            f"cannot read {place}: it holds no list of objects; write one object per row, such as "
            '{"date": "2026-01-31", "units": 3}'
        )
    return whole


def _of_records(records: list[dict[str, Any]]) -> Any:
    names = dict.fromkeys(name for record in records for name in record)
    return pa.table({name: array([record.get(name) for record in records]) for name in names})


def _feather(data: bytes) -> Any:
    buffer = pa.BufferReader(data)
    try:
        return pa.ipc.open_file(buffer).read_all()
    except pa.ArrowInvalid:
        buffer.seek(0)
        return pa.ipc.open_stream(buffer).read_all()
