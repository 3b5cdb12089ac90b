"""What the monitoring page shows: the checks, the drift and the slices of the last days."""

import datetime as dt

from mlops_assets.graph.keys import asset_page
from mlops_assets.graph.partitions import day_of, days_between
from mlops_assets.graph.reads import CHECKS_SHOWN
from mlops_assets.ml.monitoring.performance import weekly_slices
from mlops_assets.pages.monitoring_page import monitoring_page
from mlops_assets.project import Project
from mlops_assets.resources.stores.check_results import CheckStore, facts_dataset
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.web import web_url


def monitoring_html(project: Project, datasets: DatasetStore, newest: str) -> str:
    """The page through a day; what is damaged is a gap in it."""
    end = day_of(newest) + dt.timedelta(days=1)
    days = days_between(end - dt.timedelta(days=CHECKS_SHOWN), end)
    names = [model.name for model in project.models]
    assets = ["observations", "drift", *(f"validation/{name}" for name in names)]
    drift = datasets.read("drift", [newest], {})
    model = project.first_champion if drift.empty else str(drift["model"].iloc[0])
    metric = project.primary_metric
    facts = datasets.read(facts_dataset(model), days, {})
    return monitoring_page(
        CheckStore(datasets).read(assets, days, {}),
        drift,
        weekly_slices(metric, facts) if len(facts) else facts,
        title=f"{project.name}: monitoring",
        metric=metric.loss_name,
        model=model,
        pages={asset: web_url(asset_page(project, *asset.split("/"))) for asset in assets},
    )
