"""What is built in keeps its contract; the command and pytest tell who does not."""

from pathlib import Path

import pytest

from mlops_assets.contracts.checking import problems_of
from mlops_assets.ml.features.custom_features import FEATURES
from mlops_assets.ml.models.splits import SPLITS
from mlops_assets.project.plugin_loader import use_plugins
from mlops_tests.commands import command


@pytest.mark.parametrize("kind", ["feature", "split"])
def test_what_is_built_in_keeps_its_contract(kind: str) -> None:
    for name in {"feature": FEATURES, "split": SPLITS}[kind]:
        assert list(problems_of(kind, name)) == [], name


BROKEN = """
from mlops_assets.plugin import Feature, feature

@feature
class Broken(Feature):
    name = "broken"
    description = "Row numbers."
    def compute(self, rows, earlier, columns):
        return range(len(rows))
"""


def test_the_command_says_what_is_wrong_and_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ideas.py"
    file.write_text(BROKEN)
    try:
        assert command("check", file) == 1
    finally:
        use_plugins(tmp_path, [])
    assert capsys.readouterr().out.splitlines() == [
        f"feature broken: {file}, line 4",
        "  - the value of a row depends on the order of the rows",
        "1 of 1 do not keep their contract.",
    ]


def test_the_command_names_a_target_that_cannot_be_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("check", tmp_path / "project.yaml") == 1
    assert "cannot read the settings" in capsys.readouterr().err
    assert command("check", "no_such_module") == 1
    assert "there is no plugin 'no_such_module'" in capsys.readouterr().err
    assert command("check") == 0
    assert "nothing to check" in capsys.readouterr().out


pytest_plugins = ["pytester"]


@pytest.mark.filterwarnings("ignore")
def test_pytest_tells_the_same(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(ideas=BROKEN)
    pytester.makepyfile(
        """
        def test_mine(contract_problems):
            assert contract_problems("metric", "mae") == []
            assert "no known metric" in contract_problems("metric", "nothing")[0]
        """
    )
    done = pytester.runpytest_inprocess("--mlops-check", "ideas.py")
    use_plugins(pytester.path, [])
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["*depends on the order of the rows*"])
