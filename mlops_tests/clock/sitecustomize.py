"""Shifts the clock of this interpreter by as many seconds as its environment says.

Imported by the interpreter itself as it starts, so nothing is imported here that may not be used.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType, SimpleNamespace
from typing import Any

SQLITE = "sqlite3.dbapi2"
GRPC_MODULES = "_channel _common _cython.cygrpc _server _utilities aio._utils"
GRPC = {f"grpc.{name}" for name in GRPC_MODULES.split()}


def shift_clock(seconds: int) -> None:
    """Shift what Python, and SQLite within it, say of the time."""
    import datetime as dt

    if "pytest" in sys.modules:
        import time_machine
    else:
        # it would import pytest, and pytest later complain that it comes too late to rewrite it
        sys.modules["pytest"] = None  # type: ignore[assignment]
        import time_machine

        del sys.modules["pytest"]
        time_machine.__doc__ = "PYTEST_DONT_REWRITE"
    time_machine.travel(dt.timedelta(seconds=seconds), tick=True).start()
    time.time()  # it ticks from the first look at it
    real = SimpleNamespace(**vars(time) | {"time": time_machine.escape_hatch.time.time})
    adjustments = {SQLITE: shift_sqlite} | dict.fromkeys(GRPC, partial(give_time, real))
    sys.meta_path.insert(0, Adjusting(adjustments))
    for name in set(adjustments) & set(sys.modules):
        adjustments[name](sys.modules[name])


class Adjusting(MetaPathFinder):
    """Adjusts modules once they are imported, each by a function of its own."""

    def __init__(self, adjustments: Mapping[str, Callable[[Any], None]]) -> None:
        self.adjustments = adjustments

    def find_spec(
        self, name: str, path: Any = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in self.adjustments:
            return None
        spec = PathFinder.find_spec(name, path, target)
        assert spec is not None
        loader: Any = spec.loader
        execute = loader.exec_module

        def execute_and_adjust(module: ModuleType) -> None:
            execute(module)
            self.adjustments[name](module)

        loader.exec_module = execute_and_adjust
        return spec


def give_time(real: Any, module: Any) -> None:
    """The real clock for a module that hands moments to C code, which waits for them by it."""
    module.time = real


def shift_sqlite(module: Any) -> None:
    connect = module.connect

    def shifted(*args: Any, **options: Any) -> Any:
        connection = connect(*args, **options)
        # the default of columns in Dagster's tables
        connection.create_function("current_timestamp", 0, current_timestamp)
        return connection

    module.connect = shifted
    if "sqlite3" in sys.modules:
        sys.modules["sqlite3"].connect = shifted  # type: ignore[attr-defined]


def current_timestamp() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())


# Two such processes watch over the output of each step, and look at no clock.
if not any(argument.endswith("watch_orphans.py") for argument in sys.orig_argv[1:2]):
    if "MLOPS_TESTS_SHIFT_SECONDS" in os.environ:
        shift_clock(int(os.environ["MLOPS_TESTS_SHIFT_SECONDS"]))
    if "MLOPS_TESTS_HASTE" in os.environ:
        import haste

        sys.meta_path.insert(0, Adjusting(dict.fromkeys(haste.MODULES, haste.hasten)))
