"""How asset checks report partition by partition."""

from collections.abc import Generator, Iterator

import dagster as dg

from mlops_assets.assets.recording import said_of_newer
from mlops_assets.assets.reporting import Metadata, Told, number, table
from mlops_assets.ml.check_result import CheckResult, CheckResults, FailedRows
from mlops_assets.ml.monitoring.quality import TARGET_LEVEL, TARGET_RANGE, checks_of
from mlops_assets.project import Project


def observation_checks(project: Project) -> dict[str, str]:
    """The checks of a day's observations; several classes have no mean that could be unusual."""
    left_out = (TARGET_RANGE, TARGET_LEVEL) if len(project.labels) > 2 else ()
    checks = checks_of(series=bool(project.columns.series))
    return {check: asks for check, asks in checks.items() if check not in left_out}


def say(
    context: dg.AssetExecutionContext, told: Told
) -> Generator[dg.AssetCheckEvaluation, None, list[dg.AssetCheckEvaluation]]:
    """Yield what checks refused, and return what they found of each other partition of a range.

    That is to be recorded: yielded, one that blocks would end the run. What they found of a single
    partition is the result of its run, see `results`.
    """
    to_record: list[dg.AssetCheckEvaluation] = []
    every = {**told.again, **told.found, **told.refused}
    for partition, verdicts in sorted(every.items()):
        found = evaluations(context.asset_key, partition, verdicts, told)
        if partition in told.refused:
            yield from found
        elif partition in told.again or not context.has_partition_key:
            to_record += found
    return to_record


def say_of_newest(context: dg.AssetExecutionContext, told: Told) -> None:
    """Record again what checks said of a partition that is newer than all of a run.

    The web UI shows of a check what was said last, so the newest partition has the last word,
    whichever a run was about.
    """
    if told.found:
        names = [dg.AssetCheckKey(context.asset_key, name) for name in told.found[max(told.found)]]
        newest = max({**told.found, **told.refused})
        for evaluation in said_of_newer(context.instance, names, newest):
            context.log_event(evaluation)


def results(context: dg.AssetExecutionContext, told: Told) -> list[dg.AssetCheckResult]:
    """The results of a run of one partition; of a range, what was found of the newest.

    Those never fail a run, unless the `severity` of every failure is given and asks for it.
    """
    found, severity = told.found, told.severity
    if not found:
        return []
    newest = max(found)
    made = []
    for name, outcome in found[newest].items():
        why, passed, grade = outcome.why, outcome.passed, severity or _severity(outcome)
        if not context.has_partition_key:
            failed = [partition for partition in found if not found[partition][name].passed]
            more = failed and len(found) > 1
            of = f" ({len(failed)} of the {len(found)} of this run failed)" if more else ""
            why, grade = f"{newest}: {why}{of}", severity or dg.AssetCheckSeverity.WARN
            passed = not failed if severity is dg.AssetCheckSeverity.ERROR else passed
        made.append(
            dg.AssetCheckResult(
                check_name=name,
                passed=passed,
                severity=grade,
                description=why,
                metadata=_metadata(outcome),
            )
        )
    return made


def evaluations(
    key: dg.AssetKey, partition: str, outcomes: CheckResults, told: Told
) -> Iterator[dg.AssetCheckEvaluation]:
    """What the checks found of a partition, as events, graded as what is told."""
    for name, outcome in outcomes.items():
        yield dg.AssetCheckEvaluation(
            asset_key=key,
            check_name=name,
            passed=outcome.passed,
            severity=told.severity or _severity(outcome),
            description=outcome.why,
            metadata=_metadata(outcome),
            partition=partition,
            blocking=told.blocking,
        )


def _severity(outcome: CheckResult) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.ERROR if outcome.severe else dg.AssetCheckSeverity.WARN


def _metadata(outcome: CheckResult) -> Metadata:
    """The numbers of a check, and some of the rows at fault."""
    numbers = outcome.measures.items()
    metadata: Metadata = {name: dg.MetadataValue.float(number(value)) for name, value in numbers}
    if isinstance(outcome, FailedRows) and len(outcome.rows):
        metadata["rows_at_fault"] = table(outcome.rows)
    return metadata
