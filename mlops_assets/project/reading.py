"""Reads the settings of a file, and says of each mistake where it stands."""

import re
import reprlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pydantic
import yaml
from pydantic import BaseModel

from mlops_assets.ml.settings import Section
from mlops_assets.project.folders import settings_file
from mlops_assets.project.masking import masked
from mlops_assets.project.old_words import OLD_WORDS, in_new_words
from mlops_assets.project.plugin_loader import PluginError, use_plugins
from mlops_assets.project.problem import NOT_SETTINGS
from mlops_assets.project.project import Project
from mlops_assets.project.source_settings import SOURCE_SETTINGS
from mlops_assets.project.yaml_text import ExcessError, read_yaml

SHOWN_MISTAKES, LONGEST = 20, 500


class ProjectError(ValueError):
    """The settings are wrong; the message names the place, the value and what is allowed.

    No password of a URL is told, by the message or by the error before it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(masked(message))


def load_project(path: str | Path | None = None) -> Project:
    """Read and validate the settings.

    Reads `path`, else the file that MLOPS_PROJECT names, else the nearest `project.yaml`.
    Raises ProjectError with one message for all mistakes found.
    """
    file = Path(path).resolve() if path else settings_file()
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ProjectError(
            f"cannot read the settings {file}: {error.strerror}; write them from a table with "
            "`mlops-assets new TABLE`, or set MLOPS_PROJECT to a YAML file"
        ) from error
    except UnicodeDecodeError as error:
        raise ProjectError(f"{file} is no text in UTF-8: {error}; save it as UTF-8") from error
    try:
        node, values = read_yaml(text)
    except ExcessError as error:
        raise ProjectError(f"{file} holds more than settings do: {error}") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2026-02-31
        raise ProjectError(f"{file} is no valid YAML: {error}") from None
    if repeated := list(_repeated_keys(node)):
        raise _mistakes(file, repeated)
    if not isinstance(values, dict):
        raise ProjectError(f"{file}: expected a mapping of settings, found {reprlib.repr(values)}")
    if foreign := [name for name in NOT_SETTINGS if name in values]:
        raise ProjectError(f"{file}, {foreign[0]}: unknown setting")
    try:
        values = in_new_words(values, file)
    except ValueError as error:
        raise ProjectError(f"{file}, {error}") from None
    try:
        use_plugins(file.parent, _plugins_named(values))
    except PluginError as error:
        line = _line(node, ("plugins", error.position))
        raise ProjectError(f"{file}, line {line}, plugins: {error}") from error
    try:
        project = Project.model_validate({**values, "folder": file.parent})
    except pydantic.ValidationError as error:
        details = error.errors()
        lines = [_explain(detail, node) for detail in details[:SHOWN_MISTAKES]]
        raise _mistakes(file, lines, len(details)) from None
    return project


def _mistakes(file: Path, lines: list[str], count: int = 0) -> ProjectError:
    """The first mistakes of a file, each on a line that can be read."""
    count = max(count, len(lines))
    told = [line if len(line) <= LONGEST else f"{line[:300]} ... {line[-150:]}" for line in lines]
    more = [f"  and {count - SHOWN_MISTAKES} more"] if count > SHOWN_MISTAKES else []
    head = f"{file} has {count} mistake(s):"
    return ProjectError("\n".join([head, *told[:SHOWN_MISTAKES], *more]))


def _plugins_named(values: Mapping[str, Any]) -> list[str]:
    """The plugins of settings that are not validated yet; what is wrong is left to validation."""
    named = values.get("plugins") or []
    named = named if isinstance(named, list) else []
    names = [name for name in named if isinstance(name, str) and name]
    return list(dict.fromkeys(names)) if len(names) == len(named) else []


def _explain(detail: Mapping[str, Any], node: yaml.Node | None) -> str:
    location, message, value = detail["loc"], str(detail["msg"]), detail["input"]
    message = message.removeprefix("Value error, ")
    allowed = _allowed_keys(location)
    location = tuple(  # the kind of a source is no part of the file
        part for at, part in enumerate(location) if not _is_kind(location, at)
    )
    inner = re.match(r"at ([\w.]+): ", message)
    if not location and inner:
        location = tuple(inner.group(1).split("."))
        message = message[inner.end() :]
    line = _line(node, location)
    if detail["type"] == "extra_forbidden":
        message = f"unknown setting{allowed}"
    elif detail["type"] == "missing":
        message = "missing"
    elif detail["type"] in ("union_tag_invalid", "union_tag_not_found"):
        location = (*location, "kind")
        kind = value.get("kind") if isinstance(value, dict) else value
        known = detail["ctx"].get("expected_tags") or ", ".join(map(repr, SOURCE_SETTINGS))
        found = "missing" if kind is None else f"{kind!r} is no kind of source"
        message = f"{found}; the kinds are: {known}"
    elif _is_secret(location):
        message = f"{message}; name an environment variable here, and write the URL into that"
    elif not isinstance(value, dict | BaseModel) and repr(value) not in message:
        shown = masked(value) if isinstance(value, str) else value  # before it is cut short
        message = f"{message}, not {reprlib.repr(shown) if len(repr(shown)) > 80 else repr(shown)}"
    path = ".".join(str(part) for part in location if part != "str")
    return f"  line {line}, {path}: {message}"


def _repeated_keys(
    node: yaml.Node | None, path: str = "", above: tuple[yaml.Node, ...] = ()
) -> Iterable[str]:
    """What to say of each key that its mapping has already; YAML would keep the last silently."""
    if node is None or node in above:  # an alias of what it is part of
        return
    above = (*above, node)
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if str(key.value) in lines and isinstance(key, yaml.ScalarNode):
                yield (
                    f"  line {line}, {path}{key.value}: named already on line "
                    f"{lines[str(key.value)]}; keep one of the two"
                )
            lines[str(key.value)] = line
            yield from _repeated_keys(value, f"{path}{key.value}.", above)
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            yield from _repeated_keys(value, f"{path}{position}.", above)


def _allowed_keys(location: tuple[Any, ...]) -> str:
    """The keys allowed beside an unknown one, read off the schema."""
    settings: Any = Project
    for at, part in enumerate(location[:-1]):
        if _is_kind(location, at):
            settings = SOURCE_SETTINGS[str(part)]
            continue
        field = settings.model_fields.get(part) if isinstance(part, str) else None
        if field is not None:
            found = list(_settings_in(field.annotation))
            if found:
                settings = found[0]
    return f"; allowed here: {', '.join(k for k in settings.model_fields if k not in NOT_SETTINGS)}"


def _is_secret(location: tuple[Any, ...]) -> bool:
    """Whether people write a URL there, with its password, in place of its variable's name."""
    return location[:1] == ("alerts",) or location[-1:] == ("url_env",)


def _is_kind(location: tuple[Any, ...], at: int) -> bool:
    """Whether a part of the location is the kind by which pydantic tells sources apart."""
    return at > 0 and location[at - 1] == "source" and location[at] in SOURCE_SETTINGS


def _settings_in(annotation: Any) -> Iterable[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _settings_in(argument)


def _line(node: yaml.Node | None, location: Iterable[Any]) -> int:
    """The line, counted from one, of the deepest part of the location that the file has.

    The location is in today's words, the file perhaps in old ones.
    """
    line = 1
    for part in location:
        child: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value in (str(part), OLD_WORDS.get(str(part))):
                    line, child = key.start_mark.line + 1, value
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            child = node.value[part]
            line = child.start_mark.line + 1
        if child is None:
            break
        node = child
    return line
