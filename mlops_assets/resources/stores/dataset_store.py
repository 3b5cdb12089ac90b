"""The dataset store: one Parquet file per dataset and partition."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mlops_assets.lazy import np, pa, pd, pq
from mlops_assets.ml.values import names, numbers
from mlops_assets.project.made_for import DATE, NAME, NUMBER, MadeFor
from mlops_assets.resources.seals import digest
from mlops_assets.resources.storage import Storage, StorageError, damaged_file

# all rows of a file are of its own day
OF_THE_DAY = ("observations", "features", "validation", "first_seen", "ingested", "checks")
# what pyarrow raises of bytes that are no Parquet: an OSError where a page does not add up
UNREADABLE = (ValueError, LookupError, OSError, TypeError, NotImplementedError, MemoryError)


# the columns that name models, which are called otherwise once these are renamed
NAMING_MODELS = dict.fromkeys(("issued", "leaderboard", "forecast", "drift"), ("model",)) | {
    "champion": ("champion", "next_champion")
}
MADE_FOR = b"made_for"


class Told(NamedTuple):
    """What a stored file says of its rows, and the digest of all that it holds."""

    text: str
    digest: str


def as_parquet(
    frame: pd.DataFrame, made_for: str = "", told: Mapping[str, str] | None = None
) -> bytes:
    """A frame without its index, with checksums of its pages, what it was made for and is told."""
    buffer = io.BytesIO()
    table = pa.Table.from_pandas(frame, preserve_index=False)
    if made_for or told:
        made = {MADE_FOR: made_for} if made_for else {}
        kept = {**(table.schema.metadata or {}), **made, **(told or {})}
        table = table.replace_schema_metadata(kept)
    pq.write_table(table, buffer, write_page_checksum=True)
    return buffer.getvalue()


def read_parquet(storage: Storage, path: str, columns: Sequence[str] | None = None) -> pa.Table:
    """The table of a file, verified. FileNotFoundError; StorageError where it is damaged."""
    return parquet_table(storage, path, storage.read(path), columns)


def parquet_table(
    storage: Storage, path: str, data: bytes | Exception, columns: Sequence[str] | None = None
) -> pa.Table:
    """The table in the bytes of a file, or what was raised of these."""
    if isinstance(data, Exception):
        raise data
    try:
        file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
        return file.read(columns=columns, use_threads=False)
    except UNREADABLE as error:
        raise damaged_file(storage, path, f"cannot be read ({error})") from error


class DatasetStore:
    """Frames by dataset and partition key, under `datasets/` of a storage.

    `dataset` is an asset key joined by slashes, `key` a partition key such as 2026-11-01. Where it
    is told what datasets are made for, frames that were made for other settings are read as if for
    these: what they lack is missing.
    """

    def __init__(self, storage: Storage, made_for: Mapping[str, MadeFor] | None = None) -> None:
        self.storage, self.made_for = storage, dict(made_for or {})

    @staticmethod
    def path(dataset: str, key: str) -> str:
        return f"datasets/{dataset}/{key}.parquet"

    def url(self, dataset: str, key: str) -> str:
        return self.storage.url(self.path(dataset, key))

    def write(
        self, dataset: str, key: str, frame: pd.DataFrame, told: Mapping[str, str] | None = None
    ) -> str:
        """Store a frame without its index; the old file stays until the new one is whole.

        With what is `told` of its rows by name, which costs less to read than these; the digest.
        """
        data = as_parquet(frame, self._made_for(dataset), told)
        return self.storage.write(self.path(dataset, key), data)

    def told(
        self,
        dataset: str,
        keys: Iterable[str],
        name: str,
        damaged: dict[str, StorageError] | None = None,
    ) -> dict[str, Told]:
        """What files say of their rows under a name, by key, of those that are stored.

        Nothing where one does not say it, or was made for other settings. `damaged` is as for
        `read`; without it, damaged ones are left out.
        """
        found: dict[str, Told] = {}
        of_paths = {self.path(dataset, key): key for key in keys}
        for path, data in self.storage.read_each(of_paths):
            try:
                if isinstance(data, Exception):
                    raise data
                said = pq.read_schema(pa.BufferReader(data)).metadata or {}
            except FileNotFoundError:
                continue
            except (StorageError, *UNREADABLE) as error:
                if damaged is not None:
                    why = damaged_file(self.storage, path, f"cannot be read ({error})")
                    damaged[of_paths[path]] = error if isinstance(error, StorageError) else why
                continue
            same = said.get(MADE_FOR, b"").decode() == self._made_for(dataset)
            text = said.get(name.encode(), b"").decode() if same else ""
            found[of_paths[path]] = Told(text, digest(path, data))
        return found

    def _made_for(self, dataset: str) -> str:
        """For which settings a dataset is made, as each file says it."""
        made = self.made_for.get(dataset.partition("/")[0])
        return made.text if made else ""

    def write_csv(self, dataset: str, key: str, frame: pd.DataFrame) -> str:
        """Store a frame as CSV as well, beside its Parquet file; where a person finds it."""
        path = f"datasets/{dataset}/{key}.csv"
        self.storage.write(path, frame.to_csv(index=False).encode())
        return self.storage.url(path)

    def read(
        self,
        dataset: str,
        keys: Iterable[str],
        damaged: dict[str, StorageError] | None = None,
    ) -> pd.DataFrame:
        """The rows of several partitions, in the order of the keys; those not stored are left out.

        An empty frame without columns when none of them is stored. Not to be changed in place.
        A damaged partition raises StorageError, unless `damaged` is given: then its error is put
        there under its key, and the others are read.
        """
        tables = []
        made = self.made_for.get(dataset.partition("/")[0])
        for key, table in self._tables(dataset, keys):
            if isinstance(table, StorageError):
                if damaged is None:
                    raise table
                damaged[key] = table
            elif table is not None:
                tables.append(table if made is None else _with_gaps(table, made, key))
        if not tables:
            return pd.DataFrame()
        frame: pd.DataFrame = pa.concat_tables(tables, promote_options="permissive").to_pandas()
        if dataset in NAMING_MODELS and self.storage.renamed:
            named = [name for name in NAMING_MODELS[dataset] if name in frame]
            frame = frame.assign(
                **{name: frame[name].replace(dict(self.storage.renamed)) for name in named}
            )
        return frame

    def lines(
        self, dataset: str, key: str, columns: Sequence[str] | None = None
    ) -> list[dict[str, Any]]:
        """Columns of a small partition, by default all, row by row; without pandas.

        StorageError without it.
        """
        table = self._table(dataset, key, columns)
        if table is None:
            raise damaged_file(self.storage, self.path(dataset, key), "is missing")
        found: list[dict[str, Any]] = table.to_pylist()
        for name in NAMING_MODELS.get(dataset, ()):
            for line in found:
                if name in line:
                    line[name] = self.storage.renamed.get(line[name], line[name])
        return found

    def made(self, dataset: str, key: str) -> tuple[list[str], str | None]:
        """The columns of a stored partition, and what it says that it was made for.

        StorageError, FileNotFoundError.
        """
        path = self.path(dataset, key)
        data = self.storage.read(path)
        try:
            schema = pq.read_schema(pa.BufferReader(data))
        except UNREADABLE as error:
            raise damaged_file(self.storage, path, f"cannot be read ({error})") from error
        told = (schema.metadata or {}).get(MADE_FOR)
        return list(schema.names), None if told is None else told.decode()

    def delete(self, dataset: str, key: str | None = None) -> None:
        """Remove one partition, or all of them."""
        self.storage.delete(f"datasets/{dataset}" if key is None else self.path(dataset, key))

    def keys(self, dataset: str) -> list[str]:
        """The partition keys stored of a dataset, sorted."""
        return _keys(self.storage.names(f"datasets/{dataset}"))

    def known(self, dataset: str) -> list[str]:
        """The same, and those that were stored and are gone, which cannot be read."""
        return _keys(self.storage.known(f"datasets/{dataset}"))

    def _tables(
        self, dataset: str, keys: Iterable[str], columns: Sequence[str] | None = None
    ) -> Iterator[tuple[str, pa.Table | StorageError | None]]:
        """Each partition by its key: None where it is not stored, or the error of a damaged one."""
        of_paths = {self.path(dataset, key): key for key in keys}
        for path, data in self.storage.read_each(of_paths):
            try:
                table = parquet_table(self.storage, path, data, columns)
                if dataset.partition("/")[0] in OF_THE_DAY and "date" in table.column_names:
                    self._refuse_other_days(table, path, of_paths[path])
                yield of_paths[path], table
            except FileNotFoundError:
                yield of_paths[path], None
            except StorageError as error:
                yield of_paths[path], error

    def _table(
        self, dataset: str, key: str, columns: Sequence[str] | None = None
    ) -> pa.Table | None:
        [(_, table)] = self._tables(dataset, [key], columns)
        if isinstance(table, StorageError):
            raise table
        return table

    def _refuse_other_days(self, table: pa.Table, path: str, key: str) -> None:
        days = table["date"].to_numpy()
        if days.dtype.kind != "M":
            return
        others = days[days.astype("datetime64[D]") != np.datetime64(key)]
        if len(others):
            why = f"holds rows of {str(others.min())[:10]}"
            raise damaged_file(self.storage, path, why)


def _keys(names: Iterable[str]) -> list[str]:
    return [name.removesuffix(".parquet") for name in names if name.endswith(".parquet")]


def _with_gaps(table: pa.Table, made: MadeFor, key: str) -> pa.Table:
    """A stored day as if it had been made for the settings of today.

    What it lacks is missing, save for its date; a column of another kind is read as it is now.
    """
    if (table.schema.metadata or {}).get(MADE_FOR) == made.text.encode():
        return table
    for name, kind in made.columns.items():
        at = table.schema.get_field_index(name)
        if at < 0:
            table = table.append_column(name, _gap(kind, len(table), key))
        elif kind == NAME:  # of older files, names are written otherwise
            labels = made.labels[1] if name == made.labels[0] else ()
            found = names(table.column(at), labels)
            if labels:  # one that is declared no more is missing
                found = found.mask(~found.isin(labels))
            table = table.set_column(at, name, pa.array(found, pa.string(), from_pandas=True))
        elif kind == NUMBER and not _is_number(table.schema.types[at]):
            found = numbers(table.column(at))
            known = pd.to_numeric(found, errors="coerce").astype("float64")
            table = table.set_column(at, name, pa.array(known, from_pandas=True))
    return table


def _gap(kind: str, rows: int, key: str) -> pa.Array:
    """A column of missing values; that of the date is known by the partition."""
    if kind == DATE:
        return pa.array(np.full(rows, np.datetime64(key, "ns")))
    return pa.nulls(rows, pa.float64() if kind == NUMBER else pa.string())


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))
