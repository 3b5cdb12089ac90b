"""What docs/deploying.md and deploy/ name is there, and fits together."""

import re
from typing import Any

import yaml

from mlops_assets.cli.main import main
from mlops_tests.small import REPOSITORY

DEPLOY = REPOSITORY / "deploy"
PAGE = (REPOSITORY / "docs" / "deploying.md").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
INSTANCE = (DEPLOY / "dagster.production.yaml").read_text(encoding="utf-8")
WORKSPACE = (DEPLOY / "workspace.production.yaml").read_text(encoding="utf-8")


def test_each_service_of_the_page_is_one_of_compose() -> None:
    told = re.findall(r"^\| `(\w+)` \| .* \| .* \|$", PAGE, re.MULTILINE)
    assert {*told} >= {*COMPOSE["services"]}


def test_what_the_instance_reads_from_the_environment_is_set() -> None:
    asked = {*re.findall(r"env: (\w+)", INSTANCE + WORKSPACE)}
    assert asked
    for name in ("code", "daemon", "operator", "viewer", "pages"):
        assert asked <= {*COMPOSE["services"][name]["environment"]}


def test_what_nginx_is_configured_with_is_set() -> None:
    template = (DEPLOY / "nginx.conf.template").read_text(encoding="utf-8")
    asked = {*re.findall(r"\$\{(\w+)\}", template)}
    assert asked == {*COMPOSE["services"]["nginx"]["environment"]}


def test_only_the_proxy_has_a_port_outside() -> None:
    assert [name for name, one in COMPOSE["services"].items() if "ports" in one] == ["nginx"]


def test_what_somebody_has_to_set_is_on_the_page() -> None:
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    for name in re.findall(r"\$\{(\w+):\?", text):
        assert f"`{name}`" in PAGE, name


def test_the_commands_of_services_are_commands() -> None:
    for service in COMPOSE["services"].values():
        words = service.get("command", "").split()
        if words[:1] == ["mlops-assets"]:
            assert words[1] in main.commands


def test_the_image_installs_what_is_pinned() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    copied = [
        word
        for line in re.findall(r"^COPY (.*)$", text, re.MULTILINE)
        for word in line.split()[:-1]
    ]
    for word in copied:
        assert word.startswith("--") or (REPOSITORY / word).exists(), word
    assert "--constraint /package/constraints.txt" in text
    assert "USER mlops" in text


def test_the_values_of_the_chart_name_the_queue_of_the_instance() -> None:
    values: Any = yaml.safe_load((DEPLOY / "values.yaml").read_text(encoding="utf-8"))
    queue = values["dagsterDaemon"]["runCoordinator"]["config"]["customRunCoordinator"]
    ours = yaml.safe_load(INSTANCE)["run_coordinator"]
    assert (queue["module"], queue["class"]) == (ours["module"], ours["class"])
    assert queue["config"]["tag_concurrency_limits"] == ours["config"]["tag_concurrency_limits"]
