"""Words of settings files that have given way to better ones: still read, with a warning."""

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

# Where a setting lies, its old word last, and the new word.
RENAMED = {
    ("control",): "performance",
    ("evaluation", "yardstick"): "baseline",
    ("features", "own"): "custom",
}
OLD_WORDS = {new: place[-1] for place, new in RENAMED.items()}
SOURCES = (("source",), ("source", "source"))
OLD_KIND, KIND = "own", "custom"


class OldWordWarning(FutureWarning):
    """A settings file says a word that has given way to another one."""


def in_new_words(values: Mapping[str, Any], file: object) -> dict[str, Any]:
    """The settings of a file in today's words; an OldWordWarning for each old one.

    ValueError where a file says both words.
    """
    found: dict[str, Any] = _copied(values)
    for place, old, new in list(_old_words(found)):
        section = _section(found, place) or {}
        where = ".".join([*place, old])
        if new in section:
            raise ValueError(f"{where}: {new} is there too, its new word; leave {old} out")
        # keys keep their order, so that what is wrong is told in the order of the file
        said = {new if key == old else key: value for key, value in section.items()}
        section.clear()
        section.update(said)
        warnings.warn(f"{file}, {where}: is called {new} now", OldWordWarning, stacklevel=3)
    for place in SOURCES:
        source = _section(found, place)
        if source is not None and source.get("kind") == OLD_KIND:
            source["kind"] = KIND
            where = ".".join([*place, "kind"])
            warnings.warn(f"{file}, {where}: {OLD_KIND} is called {KIND} now", OldWordWarning, 3)
    return found


def _old_words(values: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    for (*place, old), new in RENAMED.items():
        if old in (_section(values, tuple(place)) or {}):
            yield tuple(place), old, new


def _section(values: Any, place: tuple[str, ...]) -> dict[str, Any] | None:
    for part in place:
        values = values.get(part) if isinstance(values, dict) else None
    return values if isinstance(values, dict) else None


def _copied(values: Any) -> Any:
    return (
        {key: _copied(value) for key, value in values.items()}
        if isinstance(values, dict)
        else values
    )
