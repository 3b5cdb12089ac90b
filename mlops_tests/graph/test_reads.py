"""What assets read is what they declare: seen at the storage, below every store and the reader."""

import datetime as dt
import re
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.assets import issued
from mlops_assets.assets.reader import DatasetReader, Kept, ModelReader, UndeclaredReadError
from mlops_assets.definitions import make_definitions
from mlops_assets.graph.partitions import make_partitions
from mlops_assets.graph.reads import EVER, Every, Node, Reads, ReadsVersions, declared, layers
from mlops_assets.resources.storage import LocalStorage
from mlops_assets.resources.stores.dataset_store import DatasetStore
from mlops_assets.resources.stores.model_store import KeepingModelStore
from mlops_tests.assets.lab import FIRST_DAY, Lab

BEFORE, DAY, MONTH = "2026-03-29", "2026-03-30", "2026-03-01"
NEWEST = dt.date(2026, 3, 31)  # of the days that are stored
DAILY = "issued validation/seasonal_naive validation/linear leaderboard champion forecast drift"
DATED = re.compile(r"datasets/(.+)/(\d{4}-\d{2}-\d{2})\.parquet")
VERSIONS = re.compile(r"models/([^/]+)")


class Watched(LocalStorage):
    """Notes every file that is read and every folder that is listed."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.seen: list[str] = []

    def read_each(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes | Exception]]:
        asked = list(paths)
        self.seen += asked
        yield from super().read_each(asked)

    def names(self, folder: str) -> list[str]:
        self.seen.append(folder)
        return super().names(folder)


def owner(dataset: str) -> str:
    """The asset whose dataset it is, said here once more."""
    if dataset.startswith("checks/"):
        return dataset.removeprefix("checks/")
    if dataset in ("ingested", "champion_evidence"):
        return {"ingested": "observations", "champion_evidence": "champion"}[dataset]
    return re.sub("^(validation_facts|first_seen)/", "validation/", dataset)


class Seen:
    """What an asset was seen to read: of each asset how many days back, and versions."""

    def __init__(self, paths: list[str], partition: str) -> None:
        self.back: dict[str, set[int]] = defaultdict(set)
        self.models: set[str] = set()
        own = dt.date.fromisoformat(partition or DAY)
        for path in paths:
            if found := DATED.fullmatch(path):
                day = dt.date.fromisoformat(found[2])
                self.back[owner(found[1])].add((own - day).days)
            elif found := VERSIONS.match(path):
                self.models.add(found[1])


@pytest.fixture(scope="module")
def seen(trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """Each asset by itself, on one partition, the day before being there."""
    folder = tmp_path_factory.mktemp("reads") / "lab"
    shutil.copytree(trained_folder, folder)
    lab = Lab(folder)
    watched = Watched(lab.storage.root)
    lab.storage = watched
    found: dict[str, Seen] = {}
    with lab.instance, pytest.MonkeyPatch.context() as patch:
        # as in the night after the day: the one to come is not over
        patch.setattr(issued, "is_over", lambda *_: False)
        assert lab.run(DAILY, BEFORE).success
        for name, node in declared(lab.project).items():
            partition = {Every.DAY: DAY, Every.MONTH: MONTH, Every.PROJECT: ""}[node.every]
            watched.seen = []
            result = lab.run(name, partition)
            assert result.success, name
            if node.kind == "models":
                config = {"ops": {name.replace("/", "__"): {"config": {"through": DAY}}}}
                assert lab.run(name, partition, config=config).success
            found[name] = Seen(watched.seen, partition)
    return found


def nodes(lab: Lab) -> Iterator[tuple[Node, list[Reads], dict[str, ReadsVersions]]]:
    for node in declared(lab.project).values():
        versions = {read.model: read for read in node.reads if isinstance(read, ReadsVersions)}
        yield node, [read for read in node.reads if isinstance(read, Reads)], versions


def test_nothing_is_read_that_is_not_declared(seen: dict[str, Seen], lab: Lab) -> None:
    for node, reads, versions in nodes(lab):
        allowed: dict[str, set[int]] = defaultdict(set)
        for read in reads:
            allowed[read.asset] |= set(read.back)
        for asset, back in seen[node.asset].back.items():
            assert back <= allowed[asset], f"{node.asset} reads {asset} of {back - allowed[asset]}"
        assert seen[node.asset].models <= set(versions), node.asset


def test_nothing_is_declared_that_is_not_read(seen: dict[str, Seen], lab: Lab) -> None:
    champion = lab.project.first_champion
    days = make_partitions(lab.project, lab.storage)
    own = {
        Every.DAY: dt.date.fromisoformat(DAY),
        Every.MONTH: dt.date.fromisoformat(MONTH),
    }
    declarations = declared(lab.project)
    for node, reads, versions in nodes(lab):
        for read in reads:
            if read.champion and read.asset != f"validation/{champion}":
                continue
            back = seen[node.asset].back[read.asset]
            if len(read.back) >= len(EVER) - 1:
                assert back, f"{node.asset} never reads {read.asset}"
                continue
            needs_model = declarations[read.asset].needs_model
            first = days.first_month if needs_model else days.first_day
            reach = (own[node.every] - first).days
            if declarations[read.asset].every is Every.DAY and node.every is Every.MONTH:
                # months are of 28 to 31 days: the window ends where it should and is as long
                assert min(back) == min(read.back)
                assert max(back) > max(read.back) - 4
                continue
            newest = (own[node.every] - NEWEST).days
            missed = {days for days in read.back if newest <= days <= reach} - back
            assert not missed, f"{node.asset} never reads {read.asset} of {missed} days before"
        asked = {name for name, read in versions.items() if not read.champion or name == champion}
        assert seen[node.asset].models == asked, node.asset


def test_each_asset_comes_after_what_it_reads(lab: Lab) -> None:
    done: set[str] = set()
    for name, node in declared(lab.project).items():
        assert done.issuperset(node.upstream), name
        done.add(name)
    kinds = [layer[0].kind for layer in layers(lab.project)]
    assert len(kinds) == len(set(kinds)), "a history makes those of all models in one go"


def test_the_lineage_in_the_web_ui_is_what_is_declared(lab: Lab) -> None:
    graph = make_definitions(lab.project, lab.storage).resolve_asset_graph()
    shown = {
        key.to_user_string(): {up.to_user_string() for up in graph.get(key).parent_keys}
        for key in graph.materializable_asset_keys
    }
    assert shown == {name: set(node.upstream) for name, node in declared(lab.project).items()}


@pytest.mark.parametrize(
    ("downstream", "upstream", "first", "last"),
    [
        ("features", "observations", "2026-03-23", "2026-03-30"),
        ("leaderboard", "validation/linear", "2026-03-03", "2026-03-30"),
        ("champion", "validation/linear", "2026-03-03", "2026-03-30"),
        ("champion", "models/linear", "2026-03-01", "2026-03-01"),
        ("forecast", "observations", "2026-03-03", "2026-03-30"),
        ("drift", "features", str(FIRST_DAY), "2026-03-30"),
    ],
)
def test_a_day_depends_on_the_days_that_it_reads(
    lab: Lab, downstream: str, upstream: str, first: str, last: str
) -> None:
    graph = make_definitions(lab.project, lab.storage).resolve_asset_graph()
    keys = [dg.AssetKey(name.split("/")) for name in (downstream, upstream)]
    definitions = [graph.get(key).partitions_def for key in keys]
    assert definitions[0] is not None
    assert definitions[1] is not None
    mapped = graph.get_partition_mapping(
        *keys
    ).get_upstream_mapped_partitions_result_for_partitions(
        definitions[0].subset_with_partition_keys([DAY]), definitions[0], definitions[1]
    )
    found = sorted(mapped.partitions_subset.get_partition_keys())
    assert (found[0], found[-1]) == (first, last)


def test_the_reader_refuses_what_is_not_declared(lab: Lab) -> None:
    node = declared(lab.project)["leaderboard"]
    datasets = DatasetReader(node, [DAY], lab.storage, {})
    assert datasets.read("validation/linear", ["2026-03-03"]).empty
    with pytest.raises(
        UndeclaredReadError, match="leaderboard reads validation/linear of 2026-03-02"
    ):
        datasets.read("validation/linear", ["2026-03-02", DAY])
    with pytest.raises(UndeclaredReadError, match="leaderboard reads features of 2026-03-30"):
        datasets.read("features", [DAY])
    with pytest.raises(UndeclaredReadError, match="leaderboard reads which days of champion"):
        datasets.keys("champion")
    models = ModelReader(node, KeepingModelStore(lab.storage))
    with pytest.raises(UndeclaredReadError, match="leaderboard reads the versions of linear"):
        models.fit_to_serve("linear")


def test_the_reader_allows_what_any_day_of_a_run_reads(lab: Lab) -> None:
    node = Node("mine", (Reads("features", (0, 7)),))
    datasets = DatasetReader(node, ["2026-03-10", "2026-03-12"], lab.storage, {})
    for day in ("2026-03-12", "2026-03-10", "2026-03-05", "2026-03-03"):
        assert len(datasets.read("features", [day])) == 3
    for day in ("2026-03-11", "2026-03-04", "2026-03-13"):
        with pytest.raises(UndeclaredReadError):
            datasets.read("features", [day])


def test_what_a_run_has_read_is_kept_until_it_is_written(lab: Lab) -> None:
    node = Node("mine", (Reads("features"),))
    kept: Kept = {}
    watched = Watched(lab.storage.root)
    readers = [DatasetReader(node, [DAY], watched, kept) for _ in range(2)]
    rows = [reader.read("features", [DAY]) for reader in readers]
    assert rows[0] is rows[1]
    assert len(watched.seen) == 1
    readers[0].write("features", DAY, rows[0].head(1))
    assert len(readers[1].read("features", [DAY])) == 1
    # the store itself keeps nothing
    store = DatasetStore(watched)
    assert store.read("features", [DAY]) is not store.read("features", [DAY])
