"""What is known under a name: built in, or brought by the plugins of the project in use."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from mlops_assets.ml.settings import IDENTIFIER, NoFlags

T = TypeVar("T")
Options = TypeVar("Options", bound=BaseModel)
Choice: TypeAlias = str | Mapping[str, Mapping[str, Any]]
"""A name, or a name with options: `expanding` or `{fixed: {from: 2025-01-01}}`."""


@dataclass(frozen=True)
class Place:
    """Where something was registered."""

    file: str
    line: int
    module: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}"


class Configurable(NoFlags):
    """A registered thing whose fields are its options: defaults, bounds, descriptions."""

    name: ClassVar[str]
    description: ClassVar[str]


class Registry(dict[str, T]):
    """Entries by name, with the place that each was registered at."""

    def __init__(self, noun: str) -> None:
        super().__init__()
        self.noun = noun
        self.places: dict[str, Place] = {}
        self.log: list[str] = []
        """The names in the order of their registrations, those that were taken back included."""

    def register(self, entry: T) -> T:
        """The decorator that makes a class known under its name."""
        self.add(entry, entry)
        return entry

    def add(self, kind: Any, entry: T) -> None:
        """Register an entry under the name that its class declares, for the caller's caller.

        ValueError when the name is none, or taken by an entry of another place.
        """
        name = getattr(kind, "name", None)
        if not isinstance(name, str) or not IDENTIFIER.fullmatch(name):
            raise ValueError(
                f"{kind.__name__} needs a name of lower-case letters, digits and underscores, "
                f"such as name = 'my_{self.noun}', not {name!r}"
            )
        frame = inspect.currentframe()
        for _ in range(2):
            frame = frame.f_back if frame else None
        assert frame is not None
        place = Place(
            frame.f_code.co_filename, frame.f_lineno, str(frame.f_globals.get("__name__"))
        )
        self.restore(name, entry, place)
        self.log.append(name)

    def restore(self, name: str, entry: T, place: Place) -> None:
        """Make an entry known that was registered at `place`. ValueError when its name is taken."""
        taken = self.places.get(name)
        if name in self and (taken is None or (taken.file, taken.line) != (place.file, place.line)):
            raise ValueError(
                f"the {self.noun} {name!r} of {place} is known already, from {taken}; "
                "give one of them another name"
            )
        self[name], self.places[name] = entry, place

    def remove(self, name: str) -> None:
        self.pop(name, None)
        self.places.pop(name, None)

    def find(self, name: str) -> T:
        """The entry of that name. ValueError that lists the known ones."""
        if name not in self:
            known = ", ".join(self) or "none"
            raise ValueError(f"{name!r} is no known {self.noun}; choose one of: {known}")
        return self[name]


def choose(registry: Registry[type[Options]], choice: Choice) -> Options:
    """An entry with its options. ValueError for an unknown name, or options that do not fit."""
    entries = {choice: {}} if isinstance(choice, str) else choice
    if len(entries) != 1:
        raise ValueError(f"name one {registry.noun}, not {len(entries)}")
    [(name, values)] = entries.items()
    return parse_options(registry.find(name), values, f"{registry.noun} {name}", "option")


def parse_options(
    fields: type[Options], values: Mapping[str, object], owner: str, noun: str
) -> Options:
    """Options with defaults filled in. ValueError that names owner, option, value and bounds."""
    try:
        return fields.model_validate(values)
    except ValidationError as error:
        known = ", ".join(info.alias or name for name, info in fields.model_fields.items())
        mistakes = [_mistake(detail, noun, owner, known) for detail in error.errors()]
        raise ValueError(f"{noun}s of {owner}: {'; '.join(mistakes)}") from error


def _mistake(detail: Any, noun: str, owner: str, known: str) -> str:
    name = detail["loc"][0] if detail["loc"] else ""
    if detail["type"] == "extra_forbidden":
        return f"unknown {noun} {name!r}; {owner} takes: {known or 'none'}"
    if detail["type"] == "missing":
        return f"{name} is missing"
    message = detail["msg"].removeprefix("Value error, ")
    return f"{name} = {detail['input']!r}: {message}" if name else message
