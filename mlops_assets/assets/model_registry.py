"""The model registry: every model and version, its state, and what was decided about it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from mlops_assets.assets.lineage import Graph
from mlops_assets.assets.reader import Readers
from mlops_assets.assets.reporting import RETRY_POLICY, markdown_table, overview
from mlops_assets.graph.keys import asset_key
from mlops_assets.lazy import pd
from mlops_assets.ml.metrics.metric import make_metrics
from mlops_assets.ml.metrics.scores import LONG
from mlops_assets.ml.selection.versions import serving
from mlops_assets.project import Project
from mlops_assets.project.workspace import location
from mlops_assets.resources.storage import StorageError
from mlops_assets.resources.stores.champions import newest_record
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.decisions import Decision, shown
from mlops_assets.resources.stores.model_store import (
    DEFAULTS,
    MONTH,
    VERSION,
    ModelCard,
    ModelStore,
    short,
)
from mlops_assets.resources.switches import paused_models, retraining_schedule_name
from mlops_assets.resources.web import asset_page, web_url

GROUP = "models"
DATASET, KEY = "model_registry", "newest"
STATE = "made_from"
COLUMNS = (
    *("model", "state", "version", "family", "hyperparameters", "month"),
    *("trained_through", "age_days", "days_in_service"),
)
SHOWN_DECISIONS = 20


def make_model_registry(graph: Graph, left_out: Mapping[str, str]) -> dg.AssetsDefinition:
    """The asset `model_registry`; `left_out` says which stored settings could not be used."""
    project = graph.project

    @dg.asset(
        key=graph.key(DATASET),
        group_name=GROUP,
        owners=[project.owner],
        kinds={"pandas", "parquet"},
        deps=[*graph.deps(DATASET)],
        retry_policy=RETRY_POLICY,
    )
    def model_registry(
        context: dg.AssetExecutionContext, readers: dg.ResourceParam[Readers]
    ) -> dg.MaterializeResult[Any]:
        """Every model and version with its state, its metrics, and what was decided and why."""
        datasets, models = readers.datasets(DATASET, ()), readers.models(DATASET)
        state = registry_state(context.instance, project, models)
        paused = paused_models(context.instance, project)
        table = registry_table(project, paused, datasets, models)
        datasets.write(DATASET, KEY, table)
        return dg.MaterializeResult(
            metadata={
                **registry_metadata(project, table, models.decisions.all()),
                **({"left_out": dg.MetadataValue.json(dict(left_out))} if left_out else {}),
                **overview({}, {"path": datasets.url(DATASET, KEY), STATE: state}),
            }
        )

    return model_registry


def registry_state(instance: dg.DagsterInstance, project: Project, models: ModelStore) -> str:
    """What the registry is made from, as text: another one means that it is out of date."""
    keys = [
        *(asset_key(project, "models", model.name) for model in project.models),
        *(asset_key(project, name) for name in ("leaderboard", "champion")),
    ]
    entries = (record.asset_entry for record in instance.get_asset_records(keys))
    newest = max((entry.last_materialization_storage_id or 0 for entry in entries), default=0)
    paused = "+".join(sorted(paused_models(instance, project))) or "none"
    decisions = len(models.decisions.all())
    return f"event {newest}, {decisions} decisions, {len(keys)} assets, paused {paused}"


def registry_table(
    project: Project, paused: set[str], datasets: DatasetStore, models: ModelStore
) -> "pd.DataFrame":
    """One row per stored version, those of a model together, the newest first."""
    today = project.today()
    record = newest_record(datasets, damaged={})
    champion = record.next_champion if record else ""
    boards = datasets.read("leaderboard", datasets.keys("leaderboard"), {})
    served: Counter[str] = Counter() if boards.empty else Counter(boards["version"])
    newest = boards[boards["date"] == boards["date"].max()].set_index("model") if served else boards
    metrics = list(make_metrics(project.evaluation.metrics))
    rows: list[dict[str, Any]] = []
    for model in project.models:
        retired = models.decisions.retired(model.name)
        damaged: dict[str, StorageError] = {}
        cards = models.cards(model.name, damaged)
        for version, error in damaged.items():
            state = f"cannot be read: {error}"
            lost = {"version": version, "state": state, "month": version[:MONTH]}
            rows.append({"model": model.name, "family": model.family, **lost})
        now = serving(models.fit_to_serve(model.name), today)
        shadow = None if now else models.in_shadow(model.name, today)
        for card in sorted(cards, key=lambda card: card.created, reverse=True):
            in_service = now is not None and card.version == now.version
            rows.append(
                {
                    "model": model.name,
                    "state": version_state(card, retired, in_service),
                    "version": card.version,
                    "family": card.family,
                    "hyperparameters": shown(card.chosen) or DEFAULTS,
                    "month": card.month,
                    "trained_through": str(card.trained_through),
                    "age_days": (today - card.trained_through).days,
                    "days_in_service": served[card.version],
                    **{f"holdout_{name}": card.holdout.get(name, float("nan")) for name in metrics},
                    **{
                        f"trailing_{name}": newest[f"{name}_{LONG}d"].get(model.name, float("nan"))
                        for name in (metrics if in_service and served else ())
                    },
                }
            )
            if card == shadow:
                rows[-1]["state"] = "rejected, scored in shadow"
            if in_service:
                rows[-1]["state"] = model_state(model.name, champion, paused)
        if not any(row["model"] == model.name for row in rows):
            rows.append({"model": model.name, "state": "never trained", "family": model.family})
    scores = [f"{kind}_{name}" for kind in ("holdout", "trailing") for name in metrics]
    return pd.DataFrame(rows, columns=[*COLUMNS, *scores])


def version_state(card: ModelCard, retired: set[str], in_service: bool) -> str:
    """What a version may do: a rejected or retired one never serves."""
    if card.version in retired:
        return "retired"
    if not card.accepted:
        return "rejected"
    return "in service" if in_service else "accepted"


def model_state(name: str, champion: str, paused: set[str]) -> str:
    """What a model in service is."""
    state = "champion" if name == champion else "challenger"
    return f"{state}, paused" if name in paused else state


def registry_metadata(
    project: Project, table: "pd.DataFrame", decisions: Sequence[Decision]
) -> dict[str, Any]:
    """The registry as the web UI shows it: the models, then all versions, then the audit trail."""
    models = table.drop_duplicates("model")
    serving = table[table["state"].str.match("champion|challenger")]
    front = serving.set_index("model").reindex(models["model"])
    state = front["state"].fillna(models.set_index("model")["state"])
    schedules = f"locations/{location(project)}/schedules"
    links = [
        f"- [{name}]({web_url(asset_page(project, 'models', name))}): "
        f"[its days]({web_url(asset_page(project, 'validation', name))}), "
        f"[retraining]({web_url(f'{schedules}/{retraining_schedule_name(name)}')})"
        for name in models["model"]
    ]
    overview = front.assign(state=state, newest=models["version"].to_numpy()).reset_index()
    primary = project.evaluation.primary
    holdout = f"holdout_{primary}"
    titles = {
        f"trailing_{primary}": f"{primary}, {LONG} days",
        holdout: f"{primary}, holdout",
        "age_days": "age in days",
        "newest": "newest version",
    }
    return {
        "models": _table(
            overview,
            [
                *("model", "state", f"trailing_{primary}", holdout, "days_in_service"),
                *("trained_through", "age_days", "family", "hyperparameters", "version", "newest"),
            ],
            titles | {"version": "version in service"},
        ),
        **({"decisions": _audit_trail(decisions)} if decisions else {}),
        "versions": _table(
            table.dropna(subset=["version"]),
            [
                *("version", "model", "state", "month", "trained_through", holdout),
                *("days_in_service", "hyperparameters"),
            ],
            titles,
        ),
        "links": dg.MetadataValue.md("\n".join(links)),
        "champion": next(
            (
                str(row["model"])
                for row in table.to_dict("records")
                if row["state"].startswith("champion")
            ),
            "none yet",
        ),
        "versions_stored": int(table["version"].notna().sum()),
    }


def _audit_trail(decisions: Sequence[Decision]) -> dg.MarkdownMetadataValue:
    """The newest decisions, with who took them and why."""
    return markdown_table(
        ["when", "who", "what", "model", "version", "before", "after", "why"],
        [
            [
                f"{decision.at:%Y-%m-%d %H:%M}",
                decision.by,
                decision.action.value,
                decision.model,
                short(decision.version),
                shown(decision.before),
                shown(decision.after),
                decision.reason,
            ]
            for decision in list(decisions)[: -SHOWN_DECISIONS - 1 : -1]
        ],
    )


def _table(
    frame: "pd.DataFrame", columns: Sequence[str], titles: Mapping[str, str]
) -> dg.TableMetadataValue:
    """A table that the web UI shows in place; a column without a title is called like itself."""

    def cell(value: Any) -> str:
        if pd.isna(value):
            return ""
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
        return short(text) if VERSION.fullmatch(text) else text

    known = {n: titles.get(n, n.replace("_", " ")) for n in columns if n in frame}
    return dg.MetadataValue.table(
        records=[
            dg.TableRecord({title: cell(row[name]) for name, title in known.items()})
            for row in frame.to_dict("records")
        ],
        schema=dg.TableSchema(
            columns=[dg.TableColumn(title, "string") for title in known.values()]
        ),
    )
