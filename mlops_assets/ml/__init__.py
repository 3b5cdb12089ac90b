"""Forecasting without an orchestrator: plain functions and small classes over frames.

What is shipped registers itself here, whichever module is asked for first.
"""

from mlops_assets.ml import class_metrics, classifiers

__all__ = ["class_metrics", "classifiers"]
