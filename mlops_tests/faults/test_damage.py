"""Whatever happens to a stored file, what is read of it is right or its error names it."""

import os
from pathlib import Path

import pytest

from mlops_tests.faults.damage import Store, table

pytestmark = pytest.mark.history
TRIES = int(os.environ.get("MLOPS_FAULTS", "10"))  # flips of each kind of file


@pytest.mark.parametrize("root", ["", "memory://damaged"])
def test_no_damage_is_read_as_something_else_or_ends_in_a_traceback(
    root: str, small_project: Path, tmp_path: Path
) -> None:
    counted = table(Store(small_project, root or f"{tmp_path}/storage"), TRIES, max(TRIES // 10, 2))
    wrong = {place: n for place, n in counted.items() if n["wrong"] or n["traceback"]}
    assert wrong == {}
    flips = {name: n.total() for (name, what), n in counted.items() if what == "flip"}
    assert {*flips.values()} - {0} == {TRIES}
    assert root or 0 not in flips.values()
