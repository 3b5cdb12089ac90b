"""What is heavy to import, under the name by which its users know it.

Each name stands for a module that is imported when one of its attributes is first asked for, so
that everyone imports from here at the top and loading the definitions still imports none of them:

    from mlops_assets.lazy import np, pd

A use while a module loads (a base class, a decorator, a default, an annotation that is evaluated)
would import it then. A module that needs one of them at that time imports it plainly, and is itself
imported where it is used.
"""

from importlib import import_module
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
