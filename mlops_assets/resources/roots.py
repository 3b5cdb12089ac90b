"""Where things are stored: the storage behind a folder or URL, and that of a project."""

from contextlib import suppress

from mlops_assets.project import Project
from mlops_assets.project.folders import storage_root
from mlops_assets.resources.current_names import CurrentNames
from mlops_assets.resources.formats import check_format
from mlops_assets.resources.layout import RESTORING
from mlops_assets.resources.object_store import ObjectStore
from mlops_assets.resources.storage import LocalStorage, Storage, StorageError


def make_storage(root: str, project: str = "") -> Storage:
    """The storage behind a folder or URL; `project` is the name of one of several.

    StorageError where only a part of a backup has been restored there.
    """
    root = root.removeprefix("file://")
    storage = ObjectStore(root, project) if "://" in root else LocalStorage(root, project)
    with suppress(FileNotFoundError):
        source = storage.read(RESTORING).decode(errors="replace").strip()
        raise StorageError(
            f"{root} holds a part of a backup: wait until the restore has ended, or complete it by "
            f"`mlops-assets restore --from {source}`"
        )
    return CurrentNames(storage)


def open_storage(root: str, project: str = "") -> Storage:
    """The same. StorageError where what is stored is of a newer format than this version knows."""
    storage = make_storage(root, project)
    check_format(storage)
    return storage


def project_storage(project: Project) -> Storage:
    """Where a project is stored: the storage root, or the folder of its name under it."""
    return named_storage(project.prefix)


def named_storage(name: str) -> Storage:
    """The storage of a project of the workspace; without a name that of the project alone."""
    root = storage_root()
    return open_storage(f"{root.rstrip('/')}/{name}" if name else root, name)
