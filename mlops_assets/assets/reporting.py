"""How an asset reports partition by partition: each stands alone, and one bad one costs itself."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from mlops_assets.lazy import pd
from mlops_assets.ml.check_result import CheckResults
from mlops_assets.resources.sources import SourceError
from mlops_assets.resources.storage import DiskError, StorageError

Metadata = dict[str, Any]
Outcomes = dict[str, "Metadata | Exception"]
"""What partitions came to by key: what is said of each, or why it failed."""
TOLD = ("status", "version", "best", "champion")  # in the line that says what came of a run
TOLD_NUMBERS = 3
IN_PLACE = 1000  # characters of Markdown; longer ones the web UI shows on a click
DETAILS = "details"  # the entry that holds what is not shown at once
DATA_ERRORS = (SourceError, StorageError, ValueError)

# Unexpected errors are tried again; bad data fails at once, since it would fail again.
RETRY_POLICY = dg.RetryPolicy(
    max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)


class PartitionError(ValueError):
    """What is wrong with one partition, and what to do about it."""


@dataclass
class Told:
    """What partitions came to: metadata or an error of each, and what its checks found.

    Those that its checks refused are errors. `again` is what checks find by now of partitions that
    are not made. A `severity` that is given is that of every failure.
    """

    outcomes: Outcomes = field(default_factory=dict)
    found: dict[str, CheckResults] = field(default_factory=dict)
    refused: dict[str, CheckResults] = field(default_factory=dict)
    again: dict[str, CheckResults] = field(default_factory=dict)
    blocking: bool = False
    severity: dg.AssetCheckSeverity | None = None

    @property
    def good(self) -> dict[str, Metadata]:
        """The metadata of the partitions that are stored."""
        return {k: told for k, told in self.outcomes.items() if not isinstance(told, Exception)}

    def add(self, other: "Told") -> None:
        """Take over what other partitions came to."""
        self.outcomes |= other.outcomes
        self.found |= other.found
        self.refused |= other.refused
        self.again |= other.again
        self.blocking, self.severity = other.blocking, other.severity


def report(
    context: dg.AssetExecutionContext,
    outcomes: Outcomes,
    found: Mapping[str, CheckResults] | None = None,
    refused: Mapping[str, CheckResults] | None = None,
    again: Mapping[str, CheckResults] | None = None,
    **graded: Any,
) -> Iterator[Told]:
    """What partitions of a run came to, with what checks found of them and of those they refused.

    And `again` of others.

    They are recorded by `assets.pieces`; `graded` are `blocking` and `severity` of Told.
    """
    if outcomes:
        context.log.info(result_line(context.asset_key.to_user_string(), outcomes))
    yield Told(dict(outcomes), dict(found or {}), dict(refused or {}), dict(again or {}), **graded)


def failure(name: str, outcomes: Outcomes) -> dg.Failure | None:
    """That partitions of an asset failed, with the reasons; None where none did."""
    bad = {key: error for key, error in outcomes.items() if isinstance(error, Exception)}
    if not bad:
        return None
    keys_of: dict[str, list[str]] = {}
    for key, error in bad.items():
        if not isinstance(error, DiskError):  # which differ by the bytes that were needed
            keys_of.setdefault(str(error), []).append(key)
    reasons = "\n".join(f"{_in_words(keys)}: {reason}" for reason, keys in keys_of.items())
    disk = next((f"{error}\n" for error in bad.values() if isinstance(error, DiskError)), "")
    rest = ", the others are stored" if len(bad) < len(outcomes) else ""
    found = dg.Failure(
        f"{disk}{name}: {len(bad)} of {len(outcomes)} partition(s) failed{rest}.\n{reasons}",
        metadata={"failed_partitions": dg.MetadataValue.json(list(bad))},
        allow_retries=False,
    )
    found.__cause__ = next(iter(bad.values()))
    return found


def result_line(name: str, outcomes: Outcomes) -> str:
    """What came of a run of an asset, in a line for whoever started it in a shell."""
    keys = list(outcomes)
    bad = sum(isinstance(outcome, Exception) for outcome in outcomes.values())
    if len(keys) > 1 or bad:
        span = " to ".join(dict.fromkeys([keys[0], keys[-1]]))
        return f"{name} {span}: {len(keys) - bad} stored{f', {bad} failed' if bad else ''}"
    [(key, outcome)] = outcomes.items()
    assert not isinstance(outcome, Exception)
    metadata = said(outcome)
    told = [str(metadata[word]) for word in TOLD if word in metadata]
    if "accepted" in metadata:
        told.append("accepted" if metadata["accepted"] else "not accepted")
    numbers = [f"{word} {n:.4g}" for word, n in metadata.items() if isinstance(n, float)]
    return f"{name} {key}: {', '.join([*told, *numbers[:TOLD_NUMBERS]]) or 'stored'}"


def _in_words(keys: list[str]) -> str:
    return keys[0] if len(keys) == 1 else f"{keys[0]} and {len(keys) - 1} more up to {keys[-1]}"


def overview(first: Metadata, rest: Metadata) -> Metadata:
    """What people come for first, and the rest as one entry that opens on a click."""
    return {**first, DETAILS: dg.MetadataValue.json(_plain(rest))}


def said(metadata: Mapping[str, Any]) -> Metadata:
    """Everything that metadata say by name, the details among it."""
    plain = _plain(metadata)
    return {**plain.pop(DETAILS, {}), **plain}


def _plain(metadata: Mapping[str, Any]) -> Metadata:
    return {
        name: value.value if isinstance(value, dg.MetadataValue) else value
        for name, value in metadata.items()
    }


def number(value: Any) -> float:
    """A number as metadata shows it, with six significant digits; the store keeps all."""
    return float(f"{value:.6g}")


def defined(values: Mapping[str, Any]) -> Metadata:
    """Of metrics those that have a value, as a ROC AUC has none where all rows are of one class."""
    return {name: number(value) for name, value in values.items() if math.isfinite(value)}


def table(frame: "pd.DataFrame") -> dg.MarkdownMetadataValue:
    """A short frame as the web UI shows it in place."""
    header = [str(name) for name in frame.columns]
    cells = frame.map(lambda value: f"{value:.6g}" if isinstance(value, float) else str(value))
    rows = cells.map(lambda text: text.replace("|", "\\|").replace("\n", " "))
    return markdown_table(header, rows.to_numpy().tolist())


def markdown_table(header: list[str], rows: list[list[str]]) -> dg.MarkdownMetadataValue:
    """A table that the web UI shows in place while it is short."""
    return dg.MetadataValue.md("\n".join(_lines(header, rows)))


def first_rows(header: list[str], rows: list[list[str]]) -> dg.MarkdownMetadataValue:
    """As many rows of a table as the web UI shows in place."""
    text = "\n".join(_lines(header, []))
    for position, line in enumerate(_lines(header, rows)[2:]):
        left = f"\n\nand {len(rows) - position} more"
        if len(f"{text}\n{line}{left}") >= IN_PLACE:
            return dg.MetadataValue.md(f"{text}{left}")
        text += f"\n{line}"
    return dg.MetadataValue.md(text)


def _lines(header: list[str], rows: list[list[str]]) -> list[str]:
    return [f"|{'|'.join(cells)}|" for cells in [header, ["---"] * len(header), *rows]]
