"""Writes docs/reference.md: settings, families, metrics, checks, jobs and commands of the code.

`make reference`; a test holds the page against the code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import dagster as dg

from mlops_assets.cli.main import main as commands
from mlops_assets.definitions import defs
from mlops_assets.ml.metrics.metric import METRICS
from mlops_assets.ml.models.families import FAMILIES
from mlops_assets.project import json_schema, load_project

MODELS = [model.name for model in load_project().models]
PAGE = Path(__file__).with_name("reference.md")
TITLE = """# Reference

Written from the code by `make reference`, with the settings of the sample: every setting with its
default and what it means, then model families, metrics, checks, what runs by itself or by hand, and
commands. NAME stands for a model.
"""
LIMITS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
}


def cell(text: Any) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")


def table(header: list[str], rows: list[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"| {' | '.join('---' for _ in header)} |"
    yield from (f"| {' | '.join(map(cell, row))} |" for row in rows)
    yield ""


class Settings:
    """The sections of `project.yaml`, from its JSON schema."""

    def __init__(self) -> None:
        self.schema = json.loads(json_schema())
        self.defs = self.schema["$defs"]

    def sections(self, of: str = "", schema: dict[str, Any] | None = None) -> Iterator[str]:
        """A table of each section, those inside of it after it."""
        schema = schema or self.schema
        rows, inside = [], []
        for name, field in schema.get("properties", {}).items():
            rows.append([f"`{name}`", self.kind(field), self.default(name, field, schema),
                         field.get("description", "")])  # fmt: skip
            inside += [(f"{of}.{name}".strip("."), known) for known in self.objects(field)]
        kind = schema.get("properties", {}).get("kind", {}).get("const", "")
        yield f"### {f'`{of}`' if of else 'At the top'}{f' of the kind `{kind}`' if kind else ''}\n"
        if text := schema.get("description") if of else "":
            yield f"{cell(text)}\n"
        yield from table(["setting", "type", "default", "what it means"], rows)
        for path, known in inside:
            yield from self.sections(path, known)

    def objects(self, field: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The sections that a field may hold."""
        for option in self.options(field):
            inner = option.get("items", option.get("additionalProperties", {}))
            for one in (option, *(self.options(inner) if isinstance(inner, dict) else ())):
                if one.get("properties"):
                    yield one

    def options(self, field: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for option in field.get("anyOf", field.get("oneOf", field.get("allOf", [field]))):
            name = option.get("$ref", "").rpartition("/")[2]
            yield self.defs[name] if name else option

    def kind(self, field: dict[str, Any]) -> str:
        return " or ".join(dict.fromkeys(map(self._kind, self.options(field)))) or "any"

    def _kind(self, option: dict[str, Any]) -> str:
        if "enum" in option or "const" in option:
            return ", ".join(f"`{value}`" for value in option.get("enum", [option.get("const")]))
        if option.get("type") == "null":
            return "none"
        if option.get("properties"):
            return "section"
        if option.get("type") == "array" and isinstance(option.get("items"), dict):
            return f"list of {self.kind(option['items'])}"
        limits = [text.format(option[name]) for name, text in LIMITS.items() if name in option]
        return " ".join([str(option.get("type", "any")), *limits])

    @staticmethod
    def default(name: str, field: dict[str, Any], schema: dict[str, Any]) -> str:
        if name in schema.get("required", []):
            return "required"
        if "default" not in field or isinstance(field["default"], dict):
            return ""  # of a section, whose settings have theirs
        return f"`{json.dumps(field['default'])}`"


def families() -> Iterator[str]:
    yield "## Model families\n"
    for name in sorted(FAMILIES):
        family = FAMILIES[name]
        fields = family.hyperparameters.model_fields
        yield f"### `{name}`\n"
        yield f"{cell(family.__doc__ or family.hyperparameters.__doc__ or '')}\n"
        rows = [
            [
                f"`{key}`",
                f"`{field.get_default(call_default_factory=True)!r}`",
                field.description or "",
            ]
            for key, field in fields.items()
        ]
        if rows:
            yield from table(["hyperparameter", "default", "what it means"], rows)


def of_any(text: str) -> str:
    """What is said of one of the models of the sample, said of any."""
    for model in MODELS:
        text = re.sub(rf"(?<![a-z_]){model}(?![a-z])|(?<=retrain_){model}(?=_)", "NAME", text)
    return text


def named(key: dg.AssetKey) -> str:
    return "/".join([*key.path[:-1], of_any(key.path[-1])] if len(key.path) > 1 else key.path)


def unlinked(text: str | None) -> str:
    """A description without links, which lead to what is served."""
    return of_any(re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text or ""))


def once(rows: Iterable[list[str]]) -> list[list[str]]:
    """The first row of those that begin alike."""
    return list({tuple(row[:-1]): row for row in reversed(list(rows))}.values())[::-1]


def lines() -> Iterator[str]:
    """The page, line by line."""
    yield TITLE
    yield "## Settings\n"
    yield from Settings().sections()
    yield from families()
    yield "## Metrics\n"
    yield from table(
        ["metric", "what it is"],
        [[f"`{name}`", METRICS[name].description] for name in sorted(METRICS)],
    )
    graph = defs.resolve_asset_graph()
    yield "## Assets\n"
    nodes = [graph.get(key) for key in sorted(graph.materializable_asset_keys)]
    yield from table(
        ["asset", "what it is"],
        once([f"`{named(node.key)}`", unlinked(node.description)] for node in nodes),
    )
    yield "## Checks\n"
    specs = [graph.get_check_spec(key) for key in sorted(graph.asset_check_keys, key=str)]
    yield from table(
        ["asset", "check", "what it asks"],
        once([f"`{named(s.asset_key)}`", f"`{s.name}`", s.description or ""] for s in specs),
    )
    repository = defs.get_repository_def()
    for title, found in (
        ("Jobs", [job for job in repository.get_all_jobs() if not job.name.startswith("__")]),
        ("Schedules", repository.schedule_defs),
        ("Sensors", repository.sensor_defs),
    ):
        yield f"## {title}\n"
        rows = [[f"`{of_any(one.name)}`", of_any(one.description or "")] for one in found]
        yield from table([title[:-1].lower(), "what it does"], once(sorted(rows)))
    yield "## Commands\n"
    for name in sorted(commands.commands):
        command = commands.commands[name]
        shared = {"terminal_width": 100, **commands.context_settings}
        context = click.Context(command, info_name=f"mlops-assets {name}", **shared)
        yield f"### `mlops-assets {name}`\n"
        yield f"```\n{command.get_help(context)}\n```\n"


def page() -> str:
    return "\n".join(lines()).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
