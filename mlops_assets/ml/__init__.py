"""Forecasting without an orchestrator: plain functions and small classes over frames.

What is shipped registers itself here, whichever module is asked for first.
"""

from mlops_assets.ml.metrics import class_metrics
from mlops_assets.ml.models import baselines, learners

__all__ = ["baselines", "class_metrics", "learners"]
