"""The JSON schema of the settings, by which editors complete and check them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlops_assets.ml.metrics.metric import METRICS
from mlops_assets.ml.models.families import FAMILIES
from mlops_assets.ml.settings import Section, descriptions
from mlops_assets.project.problem import NOT_SETTINGS
from mlops_assets.project.project import Project

SCHEMA_FILE = Path(__file__).parents[1] / "project.schema.json"


def json_schema() -> str:
    schema = Project.model_json_schema()
    _describe(schema)
    for name in NOT_SETTINGS:
        schema["properties"].pop(name)
    model = schema["$defs"]["ModelSettings"]
    model["properties"]["family"]["enum"] = list(FAMILIES)
    model["allOf"] = []
    for name, family in FAMILIES.items():
        hyperparameters = family.hyperparameters.model_json_schema(ref_template="#/$defs/{model}")
        schema["$defs"].update(hyperparameters.pop("$defs", {}))
        schema["$defs"][family.hyperparameters.__name__] = hyperparameters
        model["allOf"].append(
            {
                "if": {"properties": {"family": {"const": name}}},
                "then": {
                    "properties": {
                        "hyperparameters": {"$ref": f"#/$defs/{family.hyperparameters.__name__}"}
                    }
                },
            }
        )
    evaluation = schema["$defs"]["EvaluationSettings"]["properties"]
    evaluation["primary"]["enum"] = list(METRICS)
    evaluation["metrics"]["items"] = {
        "anyOf": [
            {"enum": list(METRICS)},
            {"type": "object", "propertyNames": {"enum": list(METRICS)}},
        ]
    }
    return json.dumps(schema, indent=2) + "\n"


def _describe(schema: dict[str, Any]) -> None:
    """Add what is written below each setting; keys stay in the order in which pydantic has them."""
    definitions = {**schema["$defs"], Project.__name__: schema}
    for section in _sections(Section):
        if definition := definitions.get(section.__name__):
            for setting, description in descriptions(section).items():
                described = definition["properties"][setting] | {"description": description}
                definition["properties"][setting] = dict(sorted(described.items()))


def _sections(section: type[Section]) -> Iterator[type[Section]]:
    for known in section.__subclasses__():
        yield known
        yield from _sections(known)
