"""The local instance: where it is kept, and the settings that it is given."""

import hashlib
import os
from pathlib import Path

import dagster as dg

from mlops_assets.project.folders import (
    INSTANCE_VARIABLE,
    instance_folder,
    settings_file,
    workspace_file,
)
from mlops_assets.project.workspace import load_named

SHIPPED = Path(__file__).with_name("dagster.yaml")
MARK = "# From mlops-assets, which replaces it by newer ones until you edit it. sha256: "
# What `make` copied before files were marked.
UNMARKED = {
    "34b81d85dce5ee19e85f7af3f744a18ac6d5098f8221b7c4ebe9133f44df48df",
    "dc56d7bdda6cda5a6ef3b922b2ece51780a8088a8bf4ff51c0b6b4d085f26106",
    "4bf7196f11e3856c9333d5b7c6938308d45066f4537f333e3ceed1905d1dd88e",
    "7fa57a9175920475bb506397b6d591c7c3ae441e10d295a61d9f3cb8ef9267de",
}


def prepare_instance() -> Path:
    """The folder of the instance, made with its `dagster.yaml` where that is missing or outdated.

    For this process and all that it starts, DAGSTER_HOME is that folder from then on. ProjectError
    where there are no settings yet: then nothing is made.
    """
    if not settings_file().is_file() and not workspace_file().exists():
        load_named()
    folder = instance_folder()
    os.environ[INSTANCE_VARIABLE] = str(folder)
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", "1000")  # those of a step are written as one
    file = folder / "dagster.yaml"
    newest = marked(SHIPPED.read_text(encoding="utf-8"))
    found = file.read_text(encoding="utf-8") if file.exists() else None
    if found is None or (found != newest and is_unedited(found)):
        folder.mkdir(parents=True, exist_ok=True)
        written = file.with_name(f".{file.name}.{os.getpid()}")
        written.write_text(newest, encoding="utf-8")
        written.replace(file)
    return folder


def look_into_instance() -> None:
    """Open what the instance records, so that a disk that takes nothing is told by its error."""
    with dg.DagsterInstance.get() as instance:
        instance.get_run_records(limit=1)
        instance.all_instigator_state()


def marked(text: str) -> str:
    """Settings of an instance, with a first line by which an edit of them is noticed."""
    return f"{MARK}{_digest(text)}\n{text}"


def is_unedited(text: str) -> bool:
    """Whether the settings of an instance are as some version of this package wrote them."""
    head, _, rest = text.partition("\n")
    return head == f"{MARK}{_digest(rest)}" or _digest(text) in UNMARKED


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
