"""What is stored, as DataFrames for notebooks and scripts, without Dagster.

Each function takes the storage root, a folder or an fsspec URL (of one of several projects its
folder under it), and where rows are of days the first and the last of them, both included. Errors
are StorageError, which names a damaged file and how it is made again.
"""

from mlops_assets.read.tables import (
    alerts,
    decisions,
    forecasts,
    metrics,
    observations,
    versions,
)

__all__ = ["alerts", "decisions", "forecasts", "metrics", "observations", "versions"]
