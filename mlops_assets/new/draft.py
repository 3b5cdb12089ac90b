"""Settings that are not written yet."""

import tempfile
from pathlib import Path

from mlops_assets.new.proposal import Proposal
from mlops_assets.new.text import settings_text
from mlops_assets.project import Project, ProjectError, load_project
from mlops_assets.project.folders import SETTINGS


def drafted(text: str) -> Project:
    """The project that settings would make. ProjectError."""
    with tempfile.TemporaryDirectory() as elsewhere:
        draft = Path(elsewhere) / SETTINGS
        draft.write_text(text, encoding="utf-8")
        try:
            return load_project(draft)
        except ProjectError as error:  # of a file that nobody will see
            message = str(error).replace(str(draft.resolve()), "what would be written")
            raise ProjectError(message) from error


def project_of(made: Proposal) -> Project:
    """The project of a proposal. ProjectError."""
    return drafted(settings_text(made))
