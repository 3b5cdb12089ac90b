"""What is heavy to import, under the name by which its users know it.

Each name stands for a module that is imported when one of its attributes is first asked for, so
that everyone imports from here at the top and loading the definitions still imports none of them:

    from mlops_assets.lazy import np, pd

A use while a module loads (a base class, a decorator, a default, an annotation that is evaluated)
would import it then. A module that needs one of them at that time imports it plainly, and is itself
imported where it is used.
"""

import sys
import warnings
from functools import lru_cache
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any

__all__ = [
    "apprise",
    "dagster_graphql",
    "fsspec",
    "fsspec_local",
    "holidays",
    "lightgbm",
    "np",
    "pa",
    "pc",
    "pd",
    "plotly",
    "pq",
    "pyarrow_csv",
    "python_calamine",
    "sa",
    "scipy",
    "sio",
    "sklearn",
    "threadpoolctl",
    "xgboost",
]


class Deferred(ModuleType):
    """A module, by its full name, that is imported when it is first used.

    Two threads may be the first at once, as sensors of one server are. `import_module` has the
    second wait for a whole module, where importlib's `LazyLoader`, and `lazy_loader` which builds
    on it, gives it a half-made one before Python 3.12. Nor is a package imported for the sake of
    naming one of its modules.
    """

    def __getattr__(self, name: str) -> Any:
        value = getattr(import_module(self.__name__), name)
        setattr(self, name, value)  # asked for once: the way through here is 50 times as long
        return value


class QuickerSkops(MetaPathFinder):
    """Has skops look for functions by `whichmodule` below, from when it is imported on."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != "skops.io._utils":
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_mend(module: ModuleType) -> None:
                load(module)
                vars(module)["whichmodule"] = whichmodule

            vars(spec.loader)["exec_module"] = load_and_mend
        return spec


def whichmodule(obj: Any, name: str) -> str:
    """The first module that has an object, as skops finds it, but asking only those that may.

    skops asks each of some thousands of modules for each of some hundreds of functions of NumPy
    and SciPy, which do not say where they are from, and hardly any module has such a name.
    """
    module_name: str | None = getattr(obj, "__module__", None)
    if module_name is not None:
        return module_name
    having, answering = _modules(len(sys.modules))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for _, module_name in sorted([*having.get(name, ()), *answering]):
            try:
                if getattr(sys.modules.get(module_name), name, None) is obj:
                    return module_name
            except (AttributeError, ImportError):
                continue
    return "__main__"


@lru_cache(maxsize=1)
def _modules(_: int) -> tuple[dict[str, list[tuple[int, str]]], list[tuple[int, str]]]:
    """The modules that have each name, and those that may answer for any, in their order."""
    having: dict[str, list[tuple[int, str]]] = {}
    answering = []
    for place in enumerate(sys.modules.copy()):
        module = sys.modules.get(place[1])
        if module is None or place[1] in ("__main__", "__mp_main__"):
            continue
        if type(module) is not ModuleType or "__getattr__" in vars(module):
            answering.append(place)
        else:
            for name in vars(module):
                having.setdefault(name, []).append(place)
    return having, answering


FINDER = QuickerSkops()
sys.meta_path.insert(0, FINDER)

if TYPE_CHECKING:
    import apprise
    import dagster_graphql
    import fsspec
    import fsspec.implementations.local as fsspec_local
    import holidays
    import lightgbm
    import numpy as np
    import pandas as pd
    import plotly
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv as pyarrow_csv
    import pyarrow.parquet as pq
    import python_calamine
    import scipy
    import sklearn
    import skops.io as sio
    import sqlalchemy as sa
    import threadpoolctl
    import xgboost
else:
    CALLED = {
        "fsspec_local": "fsspec.implementations.local",
        "np": "numpy",
        "pa": "pyarrow",
        "pc": "pyarrow.compute",
        "pd": "pandas",
        "pq": "pyarrow.parquet",
        "pyarrow_csv": "pyarrow.csv",
        "sa": "sqlalchemy",
        "sio": "skops.io",
    }
    globals().update({name: Deferred(CALLED.get(name, name)) for name in __all__})
