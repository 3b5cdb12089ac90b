"""Shifts the clock of this interpreter by as many seconds as its environment says.

Imported by the interpreter itself as it starts, so nothing is imported here that may not be used.
"""

import os
import sys
import time
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
    sys.meta_path.insert(0, Adjusting(real))
    for name in {SQLITE, *GRPC} & set(sys.modules):
        adjust(sys.modules[name], real)


class Adjusting(MetaPathFinder):
    """Adjusts modules whose C code reads the wall clock itself, once they are imported."""

    def __init__(self, real: Any) -> None:
        self.real = real

    def find_spec(
        self, name: str, path: Any = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != SQLITE and name not in GRPC:
            return None
        spec = PathFinder.find_spec(name, path, target)
        assert spec is not None
        loader: Any = spec.loader
        execute = loader.exec_module

        def execute_and_adjust(module: ModuleType) -> None:
            execute(module)
            adjust(module, self.real)

        loader.exec_module = execute_and_adjust
        return spec


def adjust(module: Any, real: Any) -> None:
    if module.__name__ in GRPC:
        # it hands moments to wait for to C, which waits for them by the real clock
        module.time = real
        return
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


if "MLOPS_TESTS_SHIFT_SECONDS" in os.environ:
    shift_clock(int(os.environ["MLOPS_TESTS_SHIFT_SECONDS"]))
