"""Plugins are found, told apart and forgotten; what is wrong with one is said with its place."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_assets.ml.metrics.metric import METRICS
from mlops_assets.ml.models.families import FAMILIES
from mlops_assets.project import ProjectError, load_project
from mlops_assets.project.plugin_loader import GROUP, plugins_in_use, use_plugins
from mlops_tests import clock
from mlops_tests.small import PROJECT_FILE, REPOSITORY, write_small_project

METRIC = """
from dataclasses import dataclass
from mlops_assets.plugin import Metric, metric

@metric
@dataclass(frozen=True)
class Worst(Metric):
    name = "{name}"
    description = "For tests."
    def terms(self, actual, forecast):
        return abs(forecast - actual), actual * 0 + 1
"""


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    yield
    use_plugins(REPOSITORY, [])


def write(folder: Path, plugins: object, **files: str) -> Path:
    """A project that names plugins, with their files beside it."""
    folder.mkdir(exist_ok=True)
    settings: dict[str, Any] = yaml.safe_load(PROJECT_FILE.read_text(encoding="utf-8"))
    settings["plugins"] = plugins
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    file = folder / "project.yaml"
    file.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return file


def install(folder: Path, name: str, module: str) -> dict[str, str]:
    """A package with an entry point, as pip would leave it; the environment that finds it."""
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {module}\n")
    return os.environ | clock.environment(REPOSITORY, folder)


def test_a_file_beside_the_settings_is_known_while_they_are_in_use(tmp_path: Path) -> None:
    with_plugin = write(tmp_path / "a", ["ideas"], ideas=METRIC.format(name="worst"))
    without = write(tmp_path / "b", [])
    for _ in range(2):  # twice is fine
        load_project(with_plugin)
        assert "worst" in METRICS
        assert str(METRICS.places["worst"].file) == str(tmp_path / "a" / "ideas.py")
    load_project(without)
    assert "worst" not in METRICS
    assert not plugins_in_use()


def test_two_projects_may_have_plugins_of_one_name(tmp_path: Path) -> None:
    for name in ("a", "b"):
        file = write(tmp_path / name, ["ideas"], ideas=METRIC.format(name=f"worst_{name}"))
        load_project(file)
        assert [metric for metric in METRICS if metric.startswith("worst")] == [f"worst_{name}"]


def test_a_plugin_may_have_further_files(tmp_path: Path) -> None:
    ideas = METRIC.replace('"{name}"', "NAME") + "\n"
    file = write(
        tmp_path, ["ideas"], ideas="from .names import NAME\n" + ideas, names="NAME = 'far'\n"
    )
    load_project(file)
    assert "far" in METRICS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\n", ["registers nothing", "decorator of mlops_assets.plugin"]),
        ("x = 1\nx = 1 / 0\n", ["ideas.py, line 2", "ZeroDivisionError", "correct it there"]),
        ("x = (\n", ["ideas.py, line 1", "SyntaxError"]),
        ("\nimport no_such_package\n", ["ideas.py, line 2", "install no_such_package"]),
        (
            METRIC.format(name="mae"),
            ["ideas.py, line 5", "metric 'mae'", "ml/metrics/metric.py, line", "another name"],
        ),
        (METRIC.format(name="My Metric"), ["needs a name of lower-case", "'My Metric'"]),
    ],
)
def test_what_is_wrong_with_a_plugin_is_said_with_its_place(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    file = write(tmp_path, ["ideas"], ideas=text)
    line = file.read_text().splitlines().index("- ideas") + 1
    with pytest.raises(ProjectError) as caught:
        load_project(file)
    for word in [f"{file}, line {line}, plugins: 'ideas'", *words]:
        assert word in str(caught.value)
    assert not plugins_in_use()
    assert METRICS["mae"].__module__ == "mlops_assets.ml.metrics.metric"


def test_two_plugins_with_one_name_are_refused_with_both_places(tmp_path: Path) -> None:
    text = METRIC.format(name="worst")
    file = write(tmp_path, ["first", "second"], first=text, second=text)
    with pytest.raises(ProjectError) as caught:
        load_project(file)
    assert f"{tmp_path}/second.py, line 5 is known already" in str(caught.value)
    assert f"from {tmp_path}/first.py, line 5" in str(caught.value)
    assert "worst" not in METRICS


@pytest.mark.parametrize(
    ("plugins", "words"),
    [
        (["nothing"], "there is no plugin 'nothing': no file"),
        (["a.b.c"], "there is no plugin 'a.b.c'"),
        (["../up"], "there is no plugin '../up'"),
        ("ideas", "plugins: Input should be a valid list"),
        ([1], "plugins.0: Input should be a valid string"),
        (["x", "x"], "there is no plugin 'x'"),
    ],
)
def test_names_that_are_no_plugins_are_refused(tmp_path: Path, plugins: object, words: str) -> None:
    with pytest.raises(ProjectError) as caught:
        load_project(write(tmp_path, plugins))
    assert words in str(caught.value)


def test_an_installed_package_is_found_by_its_entry_point(tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "my_package").mkdir(parents=True)
    (site / "my_package" / "__init__.py").touch()
    (site / "my_package" / "ideas.py").write_text(METRIC.format(name="worst"))
    environment = install(site, "good_ideas", "my_package.ideas")
    named = write(tmp_path / "a", ["good_ideas"])
    other = write(tmp_path / "b", ["other"])
    code = (
        "from mlops_assets.project import load_project\n"
        "from mlops_assets.ml.metrics.metric import METRICS\n"
        f"for _ in range(2):\n    load_project({str(named)!r}); print('worst' in METRICS)\n"
        f"try:\n    load_project({str(other)!r})\n"
        "except ValueError as error: print('worst' in METRICS, error)\n"
        f"load_project({str(named)!r}); print('worst' in METRICS)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    first, second, missing, last = done.stdout.splitlines()
    assert (first, second, last) == ("True", "True", "True")
    assert missing.startswith("False ")
    assert f"entry point of the group {GROUP} (there are: " in missing
    assert "good_ideas" in missing


def test_a_module_that_was_imported_before_is_a_plugin_too(monkeypatch: pytest.MonkeyPatch) -> None:
    import mlops_assets.plugins.lightgbm  # noqa: F401

    for _ in range(2):
        use_plugins(REPOSITORY, ["mlops_assets.plugins.lightgbm"])
        assert "lightgbm" in FAMILIES
        use_plugins(REPOSITORY, [])
        assert "lightgbm" not in FAMILIES


def test_the_shipped_plugins_are_declared_and_short() -> None:
    declared = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    for file in (REPOSITORY / "mlops_assets" / "plugins").glob("[a-z]*.py"):
        assert f'{file.stem} = "mlops_assets.plugins.{file.stem}"' in declared
        assert len(file.read_text(encoding="utf-8").splitlines()) < 40


@pytest.mark.long
def test_loading_definitions_with_a_plugin_stays_light(tmp_path: Path) -> None:
    small = write_small_project(tmp_path / "small")
    settings = yaml.safe_load(small.read_text(encoding="utf-8"))
    settings["plugins"] = ["ideas", "mlops_assets.plugins.xgboost"]
    settings["features"]["custom"] = [{"weekday_mean": {"weeks": 2}}]
    small.write_text(yaml.safe_dump(settings))
    (small.parent / "ideas.py").write_text(METRIC.format(name="worst"))
    script = (
        "import sys, json; from mlops_assets.definitions import defs; "
        "print(json.dumps(list(sys.modules)))"
    )
    environment = {"MLOPS_PROJECT": str(small), "MLOPS_ROOT": str(tmp_path / "root")}
    for _ in range(2):  # the first load reads the header of the source
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "project_plugins.ideas" in loaded
    assert not loaded & {"sklearn", "plotly", "pandas", "numpy", "xgboost"}
