"""A small classification with fixed days: loans that are repaid, late or lost, probabilities known.

Rows are plain, each an event; their log odds are linear in two inputs and one category.
"""

from typing import Any

import numpy as np
import pandas as pd

from mlops_tests.assets.lab import END, FIRST_DAY, make_settings

ROWS_A_DAY = 60
LABELS = ["repaid", "late", "lost"]


def probabilities(rows: pd.DataFrame, target: str) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Of `repaid` and not, of shape (rows, 2), or of each of LABELS, of shape (rows, 3)."""
    risk = -1.0 + 1.5 * rows["debt"] + np.where(rows["region"] == "north", 0.8, 0.0)
    further = [-2.0 + 2.0 * rows["age"]] if target == "outcome" else []
    odds = np.column_stack([np.zeros(len(rows)), risk, *further])
    weights = np.exp(odds)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def make_loans(seed: int = 5) -> pd.DataFrame:
    """Rows of each day, with three classes `outcome`, and of two whether they were `repaid`."""
    random = np.random.default_rng(seed)
    days = np.repeat(pd.date_range(FIRST_DAY, END, inclusive="left"), ROWS_A_DAY)
    rows = pd.DataFrame(
        {
            "date": days,
            "debt": random.normal(size=len(days)),
            "age": random.normal(size=len(days)),
            "region": random.choice(["north", "south"], len(days)),
        }
    )
    chance = random.random(len(rows))
    above = chance[:, None] > probabilities(rows, "outcome").cumsum(axis=1)
    repaid = chance < probabilities(rows, "repaid")[:, 0]
    return rows.assign(outcome=np.array(LABELS)[above.sum(axis=1)], repaid=repaid)


def make_class_settings(target: str) -> dict[str, Any]:
    """The settings of the lab, for the target `repaid` of two classes, or `outcome` of three."""
    two = target == "repaid"
    models = {
        "prior": "prior",
        "logistic": "logistic_regression",
        "boosting": "hist_gradient_boosting_classifier",
    }
    return make_settings() | {
        "task": "classification",
        "classes": {"labels": [True, False], "positive": False} if two else {"labels": LABELS},
        "columns": {
            "date": "date",
            "target": target,
            "numeric": ["debt", "age"],
            "categorical": ["region"],
        },
        "constraints": {},
        "features": {"calendar": ["day_of_week"]},
        "evaluation": {
            "metrics": [
                "log_loss",
                "brier_score",
                "roc_auc",
                "pr_auc",
                {"accuracy": {"threshold": 0.4}},
                "calibration_error",
            ],
            "primary": "log_loss" if two else "roc_auc",
            "baseline": "prior",
            "slices": ["region"],
        },
        "models": [{"name": name, "family": family} for name, family in models.items()],
    }
