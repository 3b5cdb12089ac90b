"""One reading of a value, whatever it is stored as: as a name, a label or a number.

What a value is follows from itself: 12 is the same name as a whole number, as 12.0, as a decimal
and as text in any file or database. Days have theirs in `resources/sources/dates.py`.
"""

from __future__ import annotations

import datetime as dt
import math
import numbers as kinds_of_numbers
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from mlops_assets.lazy import np, pa, pc, pd

READING = 2  # counts up when the same file is read as other values than before
FLAGS = {"true": 1.0, "false": 0.0}
EXACT = 2**53  # beyond, floats do not tell whole numbers apart
MISSING_NUMBERS = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "None")
WHOLE = re.compile(r"(-?(?:0|[1-9]\d*))\.0+")
# texts that are not their own names: flags in capitals, whole numbers with a fraction
OTHERWISE = r"(?i)^(?:true|false|-?(?:0|[1-9]\d*)\.0+)$"


def text_of(value: object) -> str:
    """A value as a name: alike whether it is held as a flag, a number of any type or text.

    Text is kept to the letter, leading zeros among it, save for flags in capitals and the zeros
    after the point of a whole number.
    """
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, str):
        whole = WHOLE.fullmatch(value)
        return whole[1] if whole else value.lower() if value.lower() in FLAGS else value
    if type(value).__name__ in ("bool", "bool_"):
        return str(value).lower()
    if isinstance(value, kinds_of_numbers.Real | Decimal) and math.isfinite(value):
        if value == math.floor(value):
            return str(math.floor(value))
        return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)
    return str(value)


def label_of(text: str, labels: Sequence[str]) -> str:
    """The label that a name stands for: itself, else the only one of the same value.

    So +1 and 1.0 are the label 1, and flags are 1 and 0, whichever of the two is declared.
    """
    if text in labels:
        return text
    same = [label for label in labels if _value(label) == _value(text)]
    return same[0] if len(same) == 1 else text


def _value(text: str) -> float | str:
    if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", text):
        return float(text)
    return FLAGS.get(text, text)


def array(values: Iterable[Any]) -> Any:
    """An Arrow array of values of Python, such as a driver gives; of several kinds, their texts.

    Times with a zone are of another kind than those without.
    """
    zones = {value.tzinfo is None for value in values if isinstance(value, dt.datetime)}
    try:
        if len(zones) < 2:
            return pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        pass
    return pa.array([None if v is None or v != v else text_of(v) for v in values])


def plain(column: Any) -> Any:
    """An Arrow column in one chunk, without dictionaries; bytes and views as the text they are.

    ValueError where bytes are no text.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    types = pa.types
    is_any_of = (
        *(types.is_binary, types.is_large_binary, types.is_fixed_size_binary, types.is_binary_view),
        types.is_string_view,
    )
    if any(is_kind(column.type) for is_kind in is_any_of):
        try:
            return column.cast(pa.large_string())
        except pa.ArrowInvalid as error:
            raise ValueError("holds bytes that are no text in UTF-8; write it as text") from error
    return column


def joined_tables(tables: Sequence[Any]) -> Any:
    """The rows of all tables. What they hold in different types is text, to be read by value."""
    found: dict[str, Any] = {}
    for name in dict.fromkeys(name for table in tables for name in table.column_names):
        parts = [t[name] if name in t.column_names else pa.nulls(len(t)) for t in tables]
        parts = [plain(part) for part in parts]
        if len({_family(part.type) for part in parts if not pa.types.is_null(part.type)}) > 1:
            parts = [pa.array(names(part), pa.large_string()) for part in parts]
        pieces = [pa.table({name: part}) for part in parts]
        found[name] = pa.concat_tables(pieces, promote_options="permissive")[name]
    return pa.table(found)


def _family(kind: Any) -> str:
    """Alike for types that can be one."""
    if pa.types.is_timestamp(kind):
        return f"timestamp {kind.tz}"
    if pa.types.is_decimal(kind):
        return "decimal"
    if pa.types.is_integer(kind):
        return "integer"
    return str(kind).removeprefix("large_")


def is_text(column: Any) -> bool:
    """Whether a plain column holds text."""
    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))


def names(column: Any, labels: Sequence[str] = ()) -> pd.Series[Any]:
    """A column as names, or as the labels that it stands for; missing values are None."""
    encoded = plain(column)
    if pa.types.is_nested(encoded.type) or pa.types.is_null(encoded.type):
        encoded = pa.array([None if v is None else str(v) for v in encoded.to_pylist()])
    encoded = encoded.dictionary_encode()
    values = encoded.dictionary
    if is_text(values):
        odd = pc.indices_nonzero(pc.match_substring_regex(values, OTHERWISE)).to_pylist()
        texts = values.to_pandas().to_list()
        for at in odd:
            texts[at] = text_of(texts[at])
    else:
        texts = [None if value != value else text_of(value) for value in values.to_pylist()]
    if labels:
        texts = [text if text is None else label_of(text, labels) for text in texts]
    known = np.empty(len(texts) + 1, dtype=object)
    known[:-1] = texts
    places = pc.fill_null(encoded.indices, len(texts)).to_numpy(zero_copy_only=False)
    return pd.Series(known[places], dtype=object)


def numbers(column: Any) -> pd.Series[Any]:
    """A column as float64, or as objects where some of it is no number.

    Flags are 1 and 0, as text where there is nothing else.
    """
    column = plain(column)
    text = is_text(column)
    if text:
        column = pc.utf8_trim_whitespace(column)
        missing = pc.is_in(column, value_set=pa.array(MISSING_NUMBERS, column.type))
        column = pc.if_else(missing, pa.scalar(None, column.type), column)
    try:
        whole: pd.Series[Any] = pc.cast(column, pa.float64(), safe=False).to_pandas()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        values: pd.Series[Any] = column.to_pandas()
        if not text:
            return values
        if is_flags(column):
            return values.str.lower().map(FLAGS).astype("float64")
        parsed = pd.to_numeric(values, errors="coerce")
        return parsed.astype(object).where(parsed.notna() | values.isna(), values)
    return whole.astype("float64")


def is_flags(column: Any) -> bool:
    """Whether a column holds nothing but true and false."""
    column = plain(column)
    if is_text(column):
        known = pc.drop_null(pc.utf8_lower(pc.utf8_trim_whitespace(column)))
        found = pc.all(pc.is_in(known, value_set=pa.array(FLAGS, known.type)), min_count=1)
        return bool(found.as_py())
    return bool(pa.types.is_boolean(column.type))


def beyond_floats(column: Any) -> bool:
    """Whether a column holds whole numbers that floats do not tell apart."""
    column = plain(column)
    if is_text(column):
        long = column.filter(pc.match_substring_regex(column, r"^\s*\d{16,}\s*$"))
        return any(int(text) > EXACT for text in long.to_pylist())
    if not (pa.types.is_integer(column.type) or pa.types.is_decimal(column.type)):
        return False
    ends = pc.min_max(column)
    return any(end.is_valid and abs(end.as_py()) > EXACT for end in (ends["min"], ends["max"]))
