"""Prediction models that are trained, evaluated and watched as Dagster assets."""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlops_assets.resources.serving import load_champion

__all__ = ["__version__", "load_champion"]
__version__ = version("mlops_assets")


def __getattr__(name: str) -> Any:
    """`load_champion`: settings and stores are imported once it is asked for."""
    if name == "load_champion":
        from mlops_assets.resources.serving import load_champion

        return load_champion
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
