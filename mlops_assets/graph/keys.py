"""The asset keys of a project: one of several in an instance has its name before all of its own."""

import dagster as dg

from mlops_assets.graph.reads import Every, declared
from mlops_assets.project import Project

OF_MODELS = ("models", "validation")  # the assets that there is one of per model


def asset_key(project: Project, *parts: str) -> dg.AssetKey:
    """The key of an asset of a project: `asset_key(project, "models", "linear")`."""
    return dg.AssetKey([*_prefix(project), *parts])


def node_key(project: Project, asset: str) -> dg.AssetKey:
    """The key of an asset as declarations name it: `models/linear`."""
    return asset_key(project, *asset.split("/"))


def daily_keys(project: Project) -> list[dg.AssetKey]:
    """The keys of the daily assets, each after those that it reads."""
    nodes = declared(project).values()
    return [node_key(project, node.asset) for node in nodes if node.every is Every.DAY]


def own_parts(project: Project, key: dg.AssetKey) -> list[str]:
    """What `asset_key` made a key from; empty where it is none of the project's."""
    path, prefix = list(key.path), _prefix(project)
    if prefix:
        return path[1:] if path[:1] == prefix else []
    return path if len(path) == 1 or path[0] in OF_MODELS else []


def op_name(project: Project, *parts: str) -> str:
    """What run config calls an asset."""
    return "__".join(asset_key(project, *parts).path)


def _prefix(project: Project) -> list[str]:
    return [project.prefix] if project.prefix else []
