"""The settings: one prediction problem, described in one YAML file, validated when it is read."""

from mlops_assets.ml.features.feature_settings import (
    CalendarFeature,
    ColumnSettings,
    DateParts,
    FeatureSettings,
    LaggedAggregate,
    Reduction,
    Statistic,
)
from mlops_assets.ml.models.training_settings import (
    CRON_MONTHS,
    Cadence,
    ModelSettings,
    TrainingSettings,
)
from mlops_assets.ml.monitoring.monitoring_settings import (
    DriftSettings,
    MonitoringSettings,
    PerformanceSettings,
    QualitySettings,
    ReactionSettings,
)
from mlops_assets.ml.settings import IDENTIFIER, Settings
from mlops_assets.project.json_schema import SCHEMA_FILE, json_schema
from mlops_assets.project.problem import check_time_zone
from mlops_assets.project.project import Project
from mlops_assets.project.reading import ProjectError, load_project
from mlops_assets.project.sections import Executor, Hold
from mlops_assets.project.source_settings import (
    REPLAY_DAYS,
    CsvSettings,
    CustomSettings,
    DateOrder,
    FileSettings,
    LandingSettings,
    ReplaySettings,
    SourceSettings,
    SqlSettings,
)

__all__ = [
    "CRON_MONTHS",
    "IDENTIFIER",
    "REPLAY_DAYS",
    "SCHEMA_FILE",
    "Cadence",
    "CalendarFeature",
    "ColumnSettings",
    "CsvSettings",
    "CustomSettings",
    "DateOrder",
    "DateParts",
    "DriftSettings",
    "Executor",
    "FeatureSettings",
    "FileSettings",
    "Hold",
    "LaggedAggregate",
    "LandingSettings",
    "ModelSettings",
    "MonitoringSettings",
    "PerformanceSettings",
    "Project",
    "ProjectError",
    "QualitySettings",
    "ReactionSettings",
    "Reduction",
    "ReplaySettings",
    "Settings",
    "SourceSettings",
    "SqlSettings",
    "Statistic",
    "TrainingSettings",
    "check_time_zone",
    "json_schema",
    "load_project",
]
