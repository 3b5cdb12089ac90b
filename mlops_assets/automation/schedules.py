"""Schedules: the newest day is evaluated every day, each model retrained at its cadence."""

import dagster as dg

from mlops_assets.graph.partitions import Partitions, month_of
from mlops_assets.jobs.evaluate import EVALUATE_JOB, retrain_job_name
from mlops_assets.project import CRON_MONTHS, Cadence, ModelSettings, Project
from mlops_assets.resources.switches import EVALUATION_SCHEDULE, retraining_schedule_name


def make_schedules(project: Project, partitions: Partitions) -> list[dg.ScheduleDefinition]:
    """The daily evaluation and one retraining schedule per model, all on by default."""
    return [
        make_evaluation_schedule(project, partitions),
        *(
            make_retraining_schedule(project, model)
            for model in project.models
            if model.cadence != Cadence.MANUAL
        ),
    ]


def make_evaluation_schedule(project: Project, partitions: Partitions) -> dg.ScheduleDefinition:
    """Every day: ingest and evaluate the day before, or the newest one whose target is known.

    Or once a week, month or quarter has ended, where rows are of these.
    """

    @dg.schedule(
        name=EVALUATION_SCHEDULE,
        job_name=EVALUATE_JOB,
        cron_schedule=f"0 {project.schedule.evaluate_hour} {project.due.cron}",
        execution_timezone=project.time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Ingests {project.newest_day_in_words} and evaluates every model on it.",
    )
    def evaluation_schedule(
        context: dg.ScheduleEvaluationContext,
    ) -> dg.RunRequest | dg.SkipReason:
        newest = partitions.newest_day(context.scheduled_execution_time)
        if newest is None:
            known = project.day_to_come(partitions.first_day)
            return dg.SkipReason(
                f"There is no day yet: the target of the first one, {partitions.first_day}, is "
                f"known from {known} on."
            )
        return dg.RunRequest(run_key=str(newest), partition_key=str(newest))

    return evaluation_schedule


def make_retraining_schedule(project: Project, model: ModelSettings) -> dg.ScheduleDefinition:
    """On the first of the month: a new version for the month that begins."""

    @dg.schedule(
        name=retraining_schedule_name(model.name),
        job_name=retrain_job_name(model.name),
        cron_schedule=f"0 {project.schedule.retrain_hour} 1 {CRON_MONTHS[model.cadence]} *",
        execution_timezone=project.time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Retrains {model.name} for the month that begins. Switch off to pause it.",
    )
    def retraining_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        key = month_of(project.day_of(context.scheduled_execution_time))
        return dg.RunRequest(run_key=key, partition_key=key)

    return retraining_schedule
