"""How asset checks report partition by partition."""

from collections.abc import Iterator, Mapping

import dagster as dg

from mlops_assets.assets.reporting import number
from mlops_assets.ml.check_result import CheckResult, CheckResults
from mlops_assets.ml.monitoring.quality import TARGET_RANGE, checks_of
from mlops_assets.project import Project


def observation_checks(project: Project) -> dict[str, str]:
    """The checks of a day's observations; several classes have no mean that could be unusual."""
    left_out = TARGET_RANGE if len(project.labels) > 2 else ""
    checks = checks_of(series=bool(project.columns.series))
    return {check: asks for check, asks in checks.items() if check != left_out}


def check_specs(
    key: dg.AssetKey,
    checks: Mapping[str, str],
    partitions: dg.PartitionsDefinition[str],
    *,
    blocking: bool,
) -> list[dg.AssetCheckSpec]:
    """The checks of an asset, each with what it asks."""
    return [
        dg.AssetCheckSpec(
            name, asset=key, description=asks, blocking=blocking, partitions_def=partitions
        )
        for name, asks in checks.items()
    ]


def check_results(
    context: dg.AssetExecutionContext,
    found: Mapping[str, CheckResults],
    *,
    blocking: bool,
    severity: dg.AssetCheckSeverity | None = None,
) -> list[dg.AssetCheckResult]:
    """Say what each check found of each partition of a run, `found` being in their order.

    A run of one partition: the results themselves. A range: each partition's are logged, and the
    results sum them up as a warning, since one must not fail the others. A `severity` that is
    given is that of every failure, summed up or not, whatever the outcomes say.
    """
    if context.has_partition_key:
        [outcomes] = found.values()
        return [
            dg.AssetCheckResult(
                check_name=name,
                passed=outcome.passed,
                severity=severity or _severity(outcome),
                description=outcome.why,
                metadata=_numbers(outcome),
            )
            for name, outcome in outcomes.items()
        ]
    for partition, outcomes in found.items():
        for evaluation in evaluations(
            context.asset_key, partition, outcomes, blocking=blocking, severity=severity
        ):
            context.log_event(evaluation)
    shared = severity or dg.AssetCheckSeverity.WARN
    return [_summary(name, found, shared) for name in next(iter(found.values()))]


def evaluations(
    key: dg.AssetKey,
    partition: str,
    outcomes: CheckResults,
    *,
    blocking: bool,
    severity: dg.AssetCheckSeverity | None = None,
) -> Iterator[dg.AssetCheckEvaluation]:
    """What the checks found of a partition, as events.

    To be yielded where the step may fail: what was only logged would be lost with it.
    """
    for name, outcome in outcomes.items():
        yield dg.AssetCheckEvaluation(
            asset_key=key,
            check_name=name,
            passed=outcome.passed,
            severity=severity or _severity(outcome),
            description=outcome.why,
            metadata=_numbers(outcome),
            partition=partition,
            blocking=blocking,
        )


def _summary(
    name: str, found: Mapping[str, CheckResults], severity: dg.AssetCheckSeverity
) -> dg.AssetCheckResult:
    failed = [partition for partition, outcomes in found.items() if not outcomes[name].passed]
    return dg.AssetCheckResult(
        check_name=name,
        passed=not failed,
        severity=severity,
        description=(
            f"failed for {', '.join(failed)}" if failed else f"passed for {len(found)} partitions"
        ),
    )


def _severity(outcome: CheckResult) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.ERROR if outcome.severe else dg.AssetCheckSeverity.WARN


def _numbers(outcome: CheckResult) -> dict[str, dg.FloatMetadataValue]:
    return {name: dg.MetadataValue.float(number(value)) for name, value in outcome.measures.items()}
