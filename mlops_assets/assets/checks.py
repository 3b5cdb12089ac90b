"""How asset checks report partition by partition."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import dagster as dg

from mlops_assets.assets.reporting import number


@dataclass(frozen=True)
class Finding:
    """What a check found of a partition; a severe one stops what depends on it."""

    passed: bool
    why: str
    severe: bool
    measures: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def severity(self) -> dg.AssetCheckSeverity:
        return dg.AssetCheckSeverity.ERROR if self.severe else dg.AssetCheckSeverity.WARN

    @property
    def metadata(self) -> dict[str, dg.FloatMetadataValue]:
        """The measures that there are, which plot."""
        return {
            name: dg.MetadataValue.float(number(value))
            for name, value in self.measures.items()
            if value is not None
        }


Findings = Mapping[str, Finding]


def check_specs(
    key: list[str],
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
    context: dg.AssetExecutionContext, found: Mapping[str, Findings], *, blocking: bool
) -> list[dg.AssetCheckResult]:
    """Say what each check found of each partition of a run, `found` being in their order.

    A run of one partition: the results themselves. A range: each partition's are logged, and the
    results sum them up as a warning, since one must not fail the others.
    """
    if context.has_partition_key:
        [findings] = found.values()
        return [
            dg.AssetCheckResult(
                check_name=name,
                passed=finding.passed,
                severity=finding.severity,
                description=finding.why,
                metadata=finding.metadata,
            )
            for name, finding in findings.items()
        ]
    for partition, findings in found.items():
        for evaluation in evaluations(context.asset_key, partition, findings, blocking=blocking):
            context.log_event(evaluation)
    return [_summary(name, found) for name in next(iter(found.values()))]


def evaluations(
    key: dg.AssetKey, partition: str, findings: Findings, *, blocking: bool
) -> Iterator[dg.AssetCheckEvaluation]:
    """What the checks found of a partition, as events.

    To be yielded where the step may fail: what was only logged would be lost with it.
    """
    for name, finding in findings.items():
        yield dg.AssetCheckEvaluation(
            asset_key=key,
            check_name=name,
            passed=finding.passed,
            severity=finding.severity,
            description=finding.why,
            metadata=finding.metadata,
            partition=partition,
            blocking=blocking,
        )


def _summary(name: str, found: Mapping[str, Findings]) -> dg.AssetCheckResult:
    failed = [partition for partition, findings in found.items() if not findings[name].passed]
    return dg.AssetCheckResult(
        check_name=name,
        passed=not failed,
        severity=dg.AssetCheckSeverity.WARN,
        description=(
            f"failed for {', '.join(failed)}" if failed else f"passed for {len(found)} partitions"
        ),
    )
