"""Excel files of a few cells, written without a package for them."""

import datetime as dt
import zipfile
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

EPOCH = dt.date(1899, 12, 30)  # day 0 of Excel
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def write_book(file: Path, sheets: dict[str, Sequence[Sequence[object]]]) -> Path:
    """Sheets of texts, numbers, dates and None."""
    names = list(sheets)
    with zipfile.ZipFile(file, "w") as book:
        book.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" ContentType='
            '"application/vnd.openxmlformats-package.relationships+xml"/></Types>',
        )
        book.writestr("_rels/.rels", _relations({"officeDocument": "xl/workbook.xml"}))
        told = "".join(
            f'<sheet name="{escape(name)}" sheetId="{at}" r:id="worksheet{at}"/>'
            for at, name in enumerate(names)
        )
        book.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{told}</sheets></workbook>',
        )
        inside = {f"worksheet{at}": f"worksheets/sheet{at}.xml" for at in range(len(names))}
        book.writestr("xl/_rels/workbook.xml.rels", _relations({**inside, "styles": "styles.xml"}))
        book.writestr(  # style 1 is a date
            "xl/styles.xml",
            f'<styleSheet xmlns="{MAIN}"><cellXfs count="2"><xf numFmtId="0"/>'
            '<xf numFmtId="14"/></cellXfs></styleSheet>',
        )
        for at, rows in enumerate(sheets.values()):
            body = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
            book.writestr(
                f"xl/worksheets/sheet{at}.xml",
                f'<worksheet xmlns="{MAIN}"><sheetData>{body}</sheetData></worksheet>',
            )
    return file


def _relations(found: dict[str, str]) -> str:
    told = "".join(
        f'<Relationship Id="{name}" Type="{OFFICE}/{name.rstrip("0123456789")}" Target="{to}"/>'
        for name, to in found.items()
    )
    return f'<Relationships xmlns="{PACKAGE}/relationships">{told}</Relationships>'


def _cell(value: object) -> str:
    match value:
        case None:
            return "<c/>"
        case dt.date():
            return f'<c s="1"><v>{(value - EPOCH).days}</v></c>'
        case str():
            return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'
        case _:
            return f"<c><v>{value}</v></c>"
