"""The register of kinds."""

from typing import get_args

import pytest

from mlops_assets.project import SourceSettings
from mlops_assets.resources.sources import SOURCES, Source, get_source, register


def test_an_unknown_kind_lists_the_known_ones_and_a_kind_is_taken_once() -> None:
    with pytest.raises(ValueError, match=r"'lake' is no kind of source; the kinds are: file, "):
        get_source("lake")
    with pytest.raises(ValueError, match="'file' is a kind of source already"):
        register("file")(SOURCES["file"])


def test_every_kind_of_the_settings_has_a_source_with_all_methods() -> None:
    kinds = {get_args(s.model_fields["kind"].annotation)[0] for s in get_args(SourceSettings)}
    assert kinds == set(SOURCES)
    asked = [name for name in vars(Source) if not name.startswith("_")]
    assert {"read", "fingerprints", "span", "stamp", "columns"} <= set(asked)
    for source in SOURCES.values():
        assert all(callable(getattr(source, name)) for name in asked)
