"""Lets a served project of the tests wait less: for its sensors, and for its runs to start.

A run is a process of its own, as Dagster has it, but a fork of one that has imported what runs
import. Imported by `sitecustomize.py` in the processes of a server, so nothing is imported here
before it is used.
"""

from types import SimpleNamespace
from typing import Any

SENSORS, RUNS = MODULES = ("dagster._daemon.sensor", "dagster._grpc.server")
TICK_SECONDS = 3
# What runs import: of the project nothing, whose settings are read by each of them.
IMPORTED = [
    *("dagster", "dagster._grpc.impl", "mlops_assets.definitions", "dagster_graphql"),
    *("pandas", "pyarrow.parquet", "scipy.stats", "skops.io", "sqlalchemy", "plotly.graph_objects"),
    *("sklearn.ensemble", "sklearn.linear_model", "sklearn.inspection"),
]


def hasten(module: Any) -> None:
    """Change one of the two modules once it is imported."""
    if module.__name__ == SENSORS:
        module.MIN_INTERVAL_LOOP_TIME = TICK_SECONDS
        module.is_under_min_interval = lambda state, sensor: False
    else:
        real = module.multiprocessing
        module.multiprocessing = SimpleNamespace(**vars(real) | {"get_context": forking})


def forking(method: str) -> Any:
    """In place of `multiprocessing.get_context`."""
    import multiprocessing

    assert method == "spawn"
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    return context
