"""What lies where under a storage root, and how each file is made again."""

from __future__ import annotations

MONTH, WRITTEN = 7, ".written"  # so many characters of a name, such as 2026-11
CARD = "card.json"
REFERENCE = "reference.json"  # of a version: what drift compares with
MISSED = ("datasets/observations/", "datasets/issued/", "datasets/champion/")
CHECKS = "checks"
PACKS = "packs"  # copies of files of past days in an object store
INGESTED = "ingested"
FORMAT_FILE = "format.json"
RESTORING = "restore_under_way.txt"
LEFT_OUT = "source_left_out.json"
REPLAYED = "replayed_through.txt"
DAYS_KEPT = {"first_day.txt", REPLAYED}  # files that hold a day
# whose datasets belong to an asset: by the name before the slash, and as a whole
ASSETS = {"validation_facts": "validation", "first_seen": "validation"}
WHOLE = {INGESTED: "observations", "champion_evidence": "champion"}
PLAIN = {"model_registry"}  # assets without partitions

DATASETS = (
    *("observations", INGESTED, "features", "training_set", "issued", "validation", CHECKS),
    *("validation_facts", "first_seen", "leaderboard", "champion", "champion_evidence"),
    *("forecast", "drift", "model_registry"),
)

DELETE = "delete it"
RESTORE = "restore it from a backup"
OTHERS = {
    "alerts": DELETE,
    "alert_channels": DELETE,
    "landing": f"{DELETE}: it is made again by itself",
    PACKS: f"{DELETE}: it is made again by itself",
    FORMAT_FILE: f"{DELETE}: it is made again by itself",
    "source_index.json": f"{DELETE}: it is made again by itself",
    "source_columns.json": f"{DELETE}: it is made again by itself",
    LEFT_OUT: f"{DELETE}: what it names is told again",
    "first_day.txt": "write into it the first day of the history, such as that of the oldest file "
    "of observations",
    REPLAYED: "write into it the last day of the recording as it was when the history was begun",
    "policies": "run backtest_policy_job again and delete the folder of this run",
}


# what may be deleted once it is damaged: it is made again, or was told already
REMADE = {name for name, what in OTHERS.items() if what.startswith(DELETE)}


def logged_as(path: str) -> str:
    """As what the write of a file is told in a log: itself, a version's folder, or not at all.

    Told are files that are written again in their place, so that an older one could be put back,
    and the cards of versions, by which these exist.
    """
    if path.startswith("datasets/") and path.endswith(".parquet"):
        return path
    return path.removesuffix(f"/{CARD}") if is_card(path) else ""


def is_card(path: str) -> bool:
    return path.startswith("models/") and path.endswith(f"/{CARD}")


def is_missed(path: str) -> bool:
    """Whether its absence would be taken for one that never was.

    For a day without rows, one that nobody forecast or had no champion, or no version.
    """
    return is_card(path) or (bool(logged_as(path)) and path.startswith(MISSED))


def log_of(name: str) -> str:
    """The log beside a file of a dataset that tells what was written last: one a month."""
    return f".{name[:MONTH]}{WRITTEN}"


def mark_of(version: str) -> str:
    """In an object store, the file beside a version's folder that tells that it has a card."""
    folder, _, name = version.rpartition("/")
    return f"{folder}/.{name}{WRITTEN}"


def is_log(path: str) -> bool:
    """Whether it is such a log, or mark."""
    return path.startswith(("datasets/", "models/")) and path.endswith(WRITTEN)


def asset_of(dataset: str) -> str:
    """The asset that a dataset belongs to."""
    kind, _, rest = dataset.partition("/")
    if kind == CHECKS:
        return rest
    return f"{ASSETS[kind]}/{rest}" if kind in ASSETS else WHOLE.get(dataset, dataset)


def materialize_command(project: str, asset: str, partition: str) -> str:
    """The command that makes a partition of an asset again; `project` is one of several."""
    target, prefix = (f" -a {project}", f"{project}/") if project else ("", "")
    of = f" --partition {partition}" if asset not in PLAIN else ""
    return (
        f"dagster asset materialize -m mlops_assets.definitions{target} "
        f"--select {prefix}{asset}{of}"
    )


def remedy(project: str, path: str) -> str:
    """What to do about a file that cannot be read."""
    first, _, rest = path.partition("/")
    match first, rest.split("/"):
        case "datasets", [*dataset, name]:
            asset = asset_of("/".join(dataset))
            return f"rebuild it: {materialize_command(project, asset, name.partition('.')[0])}"
        case "models", [_, _, name] if name == REFERENCE:
            return f"{DELETE}: it is made again by itself"
        case "models", [model, version, *_]:
            again = materialize_command(project, f"models/{model}", version[:10])
            return f"train again, which stands in for it: {again}; then delete its folder {version}"
        case "registry", ["turns", *_]:
            return DELETE
        case "registry", ["decisions", *_]:
            return f"the audit trail is never edited; {RESTORE}"
        case "registry", [_, name]:
            return (
                f"{RESTORE}, or delete it and use create_model_job or update_model_job again; "
                "to keep an edit of your own, remove the line that begins with `# seal`"
            )
    return OTHERS.get(first, RESTORE)
