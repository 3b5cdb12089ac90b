"""Seconds of processor that each file of tests costs: `python -m pytest -p mlops_tests.cpu`.

They are those of the tests' own process and of all that it started and waited for, so they say the
same on a busy machine as on a quiet one.
"""

import resource
from collections import Counter
from collections.abc import Generator

import pytest

spent: Counter[str] = Counter()


class Clock:
    last = 0.0


def used() -> float:
    """Seconds of this process and of those that have ended under it."""
    own, children = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    now = used()
    report.cpu_seconds = now - Clock.last  # type: ignore[attr-defined]  # travels to the controller
    Clock.last = now
    return report


def pytest_collection_finish() -> None:
    Clock.last = used()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    spent[report.nodeid] += getattr(report, "cpu_seconds", 0.0)  # none of a process that crashed


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    files: Counter[str] = Counter()
    for test, seconds in spent.items():
        files[test.split("::")[0]] += seconds
    terminalreporter.section("processor seconds")
    for name, seconds in [*files.most_common(), *spent.most_common(60)]:
        terminalreporter.write_line(f"{seconds:8.1f} {name}")
    terminalreporter.write_line(f"{sum(files.values()):8.1f} in all tests")
