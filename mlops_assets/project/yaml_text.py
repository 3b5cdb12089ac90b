"""YAML as settings are written in it: small, flat, and no more than what stands in the file."""

from collections.abc import Iterable
from typing import Any

import yaml

LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast
MOST_CHARACTERS, MOST_VALUES, MOST_DEPTH = 1_000_000, 20_000, 40


class ExcessError(ValueError):
    """A text is more than settings are."""


def read_yaml(text: str) -> tuple[yaml.Node | None, Any]:
    """The values of a text, and the nodes that say where they stand.

    yaml.YAMLError or ValueError where it is no YAML, ExcessError where it is more than settings
    are: parsing what nests without end, or
    stands for millions of values by its aliases, would take this process with it.
    """
    if len(text) > MOST_CHARACTERS:
        raise ExcessError(f"it has {len(text):,} characters, more than {MOST_CHARACTERS:,}")
    _refuse_depth(text)
    loader = LOADER(text)
    node = loader.get_single_node()
    _refuse_size(node)
    try:
        return node, None if node is None else loader.construct_document(node)
    except TypeError as error:  # a key that is a list or a mapping
        raise ValueError(f"a key is no text: {error}") from error


def _refuse_depth(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MOST_DEPTH:
                line = event.start_mark.line + 1 if event.start_mark else "?"
                raise ExcessError(f"line {line} lies more than {MOST_DEPTH} levels deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _refuse_size(top: yaml.Node | None) -> None:
    """Aliases are counted for what they stand for."""
    known: dict[int, tuple[int, int]] = {}

    def measure(node: yaml.Node, above: tuple[int, ...]) -> tuple[int, int]:
        """How many values a node is, and how deep."""
        if id(node) in above or len(above) > MOST_DEPTH:
            raise ExcessError(
                f"line {node.start_mark.line + 1} repeats itself by its aliases; write it out"
            )
        if id(node) not in known:
            found = [measure(child, (*above, id(node))) for child in _children(node)]
            values = 1 + sum(count for count, _ in found)
            known[id(node)] = values, 1 + max((depth for _, depth in found), default=0)
            if values > MOST_VALUES or len(above) + known[id(node)][1] > 2 * MOST_DEPTH:
                raise ExcessError(
                    f"line {node.start_mark.line + 1} stands for more than {MOST_VALUES:,} values "
                    "by its aliases; write out what is meant"
                )
        return known[id(node)]

    if top is not None:
        measure(top, ())


def _children(node: yaml.Node) -> Iterable[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []
