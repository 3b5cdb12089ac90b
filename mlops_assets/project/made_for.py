"""What stored frames are made for: their columns, and the settings that these follow from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from mlops_assets.ml.metrics.metric import WEIGHT
from mlops_assets.ml.values import READING
from mlops_assets.project.problem import Problem

DATE, NUMBER, NAME = "date", "number", "name"


@dataclass(frozen=True)
class MadeFor:
    """What a dataset holds for the settings of today."""

    columns: Mapping[str, str]
    """The kind of each column that is read of it: a date, number or name."""
    settings: str = ""
    """The settings that its values follow from."""
    labels: tuple[str, tuple[str, ...]] = ("", ())
    """The column that holds classes, and their labels."""

    @cached_property
    def text(self) -> str:
        """As it is kept in each file."""
        told = {"columns": self.columns, "settings": self.settings, "reading": READING}
        return json.dumps(told | {"labels": self.labels}, sort_keys=True)


def made_for(project: Problem) -> dict[str, MadeFor]:
    """What each dataset that is read by column is made for, by the first part of its name."""
    columns, plan = project.columns, project.feature_plan
    source = dict.fromkeys(project.column_names, NAME)
    source |= dict.fromkeys(project.number_columns, NUMBER) | {columns.date: DATE}
    custom = {
        name: NUMBER if one.kind == "numeric" else NAME
        for one in plan.custom
        for name in one.columns
    }
    features = source | dict.fromkeys(plan.built_in_columns, NUMBER) | custom
    of_rows = {"columns", "aggregate", "classes", "grain", "week_begins"}
    of_features = {*of_rows, "features", "expected"}
    delay = f" {project.evaluation.label_delay_days}"
    labels = columns.target, project.labels

    def told(sections: set[str]) -> str:
        # a setting that is new and not used changes nothing of what is stored
        return project.model_dump_json(include=sections, exclude_defaults=True)

    rows = {name: source[name] for name in [*columns.series, *project.evaluation.slices]}
    weighted = {WEIGHT: NUMBER} if columns.weight else {}
    return {
        "observations": MadeFor(source, told(of_rows), labels),
        "features": MadeFor(features, told(of_features) + delay, labels),
        "validation": MadeFor(rows | weighted, columns.weight or ""),
    }
