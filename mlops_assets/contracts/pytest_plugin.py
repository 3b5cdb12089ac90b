"""The contract tests for pytest: `pytest --mlops-check project.yaml`, and a fixture.

Loaded by pytest itself where the package is installed, so nothing heavy is imported before it is
asked for.
"""

from collections.abc import Callable
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    text = "settings file or plugin module whose entries are to keep their contracts"
    parser.addoption("--mlops-check", default="", metavar="TARGET", help=text)
    parser.addini("mlops_check", text, default="")


def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """One test per entry of the target."""
    target = config.getoption("--mlops-check") or config.getini("mlops_check")
    if not target:
        return
    from mlops_assets.contracts.checking import contracts

    try:
        found = list(contracts(target))
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error
    items += [
        ContractItem.from_parent(session, name=f"{target}: {contract}", contract=contract)
        for contract in found
    ]


class BrokenContractError(Exception):
    """The problems of an entry, one a line."""


class ContractItem(pytest.Item):
    """The contract of one entry."""

    def __init__(self, *, contract: Any, **rest: Any) -> None:
        super().__init__(**rest)
        self.contract = contract

    def runtest(self) -> None:
        if problems := self.contract.problems():
            raise BrokenContractError("\n".join([self.contract.place, *problems]))

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        if isinstance(excinfo.value, BrokenContractError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        return self.path, None, self.name


@pytest.fixture
def contract_problems() -> Callable[[str, str], list[str]]:
    """What is wrong with a registered entry: `contract_problems("family", "ridge") == []`."""
    from mlops_assets.contracts.checking import problems_of

    return lambda kind, name: list(problems_of(kind, name))
