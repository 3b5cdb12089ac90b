"""Models made while the system runs: one small YAML file each under the storage root."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import yaml

from mlops_assets.project import ModelSettings, Project
from mlops_assets.resources.current_names import RENAMES
from mlops_assets.resources.storage import Storage, StorageError, damaged_file

MODELS, UPDATES = "registry/models", "registry/updates"
ENDING = ".yaml"


class Registry:
    """Settings of created models, and of updates to the models of `project.yaml`.

    An update holds as long as `project.yaml` itself says of the model what it said at that time.
    """

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def apply(self, project: Project) -> tuple[Project, dict[str, str]]:
        """The project with the created models and updates, and what was left out, and why.

        `project` is the one of `project.yaml` alone. A file that does not fit it costs itself
        alone: the other models stay.
        """
        left_out: dict[str, str] = {}
        self.storage.look()
        project = self._under_current_names(project)
        for position, model in enumerate(project.models):
            try:
                with self._fitting(UPDATES, model.name):
                    updated = self._updated(model)
                    models = [*project.models]
                    models[position] = updated
                    project = project.with_models(models) if updated != model else project
            except StorageError as error:
                left_out[f"update of {model.name}"] = str(error)
        for name in self.created():
            try:
                with self._fitting(MODELS, name):
                    model = self._read_model(name)
                    if name in (known.name for known in project.models):
                        raise ValueError("project.yaml has a model of that name, which comes first")
                    project = project.with_models([*project.models, model])
            except FileNotFoundError:
                continue  # dropped by somebody else in the meantime
            except StorageError as error:
                left_out[name] = str(error)
        return project, left_out

    def _under_current_names(self, project: Project) -> Project:
        """The project of `project.yaml` with its models under the names that they have by now."""
        names = self.storage.renamed
        if not {model.name for model in project.models} & names.keys():
            return project
        models = [
            model.model_copy(update={"name": names.get(model.name, model.name)})
            for model in project.models
        ]
        baseline, initial = project.evaluation.baseline, project.champion.initial
        told = {
            "evaluation": {"baseline": names.get(baseline, baseline)},
            "champion": {"initial": initial and names.get(initial, initial)},
        }
        sections = {
            section: getattr(project, section).model_copy(update=changed)
            for section, changed in told.items()
        }
        return project.model_copy(update=sections).with_models(models)

    def rename(self, name: str, to: str) -> None:
        """Call a model otherwise from now on; nothing happens where that was done before."""
        with suppress(FileExistsError):
            self.storage.create(f"{RENAMES}/{name}", to.encode())
        self.storage.look()

    def created(self) -> list[str]:
        """The names of the created models, whether their files can be read or not."""
        names = self.storage.names(MODELS)
        return [name.removesuffix(ENDING) for name in names if name.endswith(ENDING)]

    def create(self, model: ModelSettings) -> None:
        """Record a model. FileExistsError when the name was taken in the meantime."""
        self.storage.create(self._path(MODELS, model.name), _yaml(_settings(model)))

    def drop(self, name: str) -> None:
        self.storage.delete(self._path(MODELS, name))

    def update(self, project: Project, name: str, hyperparameters: Mapping[str, Any]) -> None:
        """Give a model other default hyperparameters; `project` is that of `project.yaml` alone."""
        changed = {"hyperparameters": dict(hyperparameters)}
        if name in self.created():
            with self._fitting(MODELS, name):
                model = self._read_model(name)
            self.storage.write(self._path(MODELS, name), _yaml(_settings(model) | changed))
        else:
            changed["replaces"] = project.model(name).hyperparameters
            self.storage.write(self._path(UPDATES, name), _yaml(changed))

    def _updated(self, model: ModelSettings) -> ModelSettings:
        """A model of `project.yaml` with its update, where that still holds."""
        path = self._path(UPDATES, model.name)
        if not self.storage.exists(path):
            return model
        update = yaml.safe_load(self.storage.read(path))
        if not isinstance(update, dict) or set(update) != {"hyperparameters", "replaces"}:
            raise ValueError("it is no update; remove it")
        if update["replaces"] != model.hyperparameters:
            return model
        settings = _settings(model) | {"hyperparameters": update["hyperparameters"]}
        return ModelSettings.model_validate(settings)

    def _read_model(self, name: str) -> ModelSettings:
        values = yaml.safe_load(self.storage.read(self._path(MODELS, name)))
        model = ModelSettings.model_validate(values)
        by_now = self.storage.renamed.get(model.name, model.name)
        model = model.model_copy(update={"name": by_now})
        if model.name != name:
            raise ValueError(f"it names {model.name!r}; a file is called like its model")
        return model

    @contextmanager
    def _fitting(self, folder: str, name: str) -> Iterator[None]:
        """StorageError that names the file of a model where that does not fit."""
        try:
            yield
        except (ValueError, yaml.YAMLError) as error:
            raise damaged_file(self.storage, self._path(folder, name), f"({error})") from error

    @staticmethod
    def _path(folder: str, name: str) -> str:
        return f"{folder}/{name}{ENDING}"


def _settings(model: ModelSettings) -> dict[str, Any]:
    return model.model_dump(mode="json")


def _yaml(values: Mapping[str, Any]) -> bytes:
    return yaml.safe_dump(dict(values), sort_keys=False).encode()
