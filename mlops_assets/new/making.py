"""Makes a project: its files, written once they load and read the table."""

import datetime as dt
import os
import re
import shlex
import shutil
import sys
import zoneinfo
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import pydantic

from mlops_assets.ml.features.aggregation import aggregated
from mlops_assets.new.answers import Answers, UnansweredError
from mlops_assets.new.draft import drafted
from mlops_assets.new.inference.facts import UndecidableError
from mlops_assets.new.proposal import Proposal, propose
from mlops_assets.new.text import profile_text, settings_text
from mlops_assets.new.trial import tried
from mlops_assets.new.wishes import Wishes
from mlops_assets.project import (
    CsvSettings,
    FileSettings,
    Project,
    ProjectError,
    SqlSettings,
)
from mlops_assets.project.folders import (
    INSTANCE_VARIABLE,
    PROJECT_VARIABLE,
    ROOT_VARIABLE,
    SETTINGS,
    WORKSPACE_VARIABLE,
)
from mlops_assets.resources.sources import SourceError, make_source

PROFILE = "profile.md"
COMMAND = "mlops-assets"
LOOKED_AT = 7  # days read through the finished settings


@dataclass(frozen=True)
class Table:
    """What the flags say of a table."""

    CSV_FLAGS: ClassVar = (
        *("delimiter", "quote", "decimal", "thousands", "encoding", "skip_lines", "dates"),
    )

    name: str
    """A path, glob or URL; with `sql_url_env` that of a table of a database."""
    sql_url_env: str | None = None
    format: str | None = None
    csv: Mapping[str, str | None] = field(default_factory=dict)
    """Its dialect by flag, as far as that is told."""
    sheet: str | None = None


def make_project(
    table: Table,
    wishes: Wishes,
    folder: Path,
    answers: Answers,
    *,
    force: bool = False,
    seconds: float = 0.0,
) -> int:
    """Write the files; 1 when the table does not make a project, 2 when an answer is missing.

    A backtest of about so many seconds chooses the models; without any, a rule of thumb.
    """
    try:
        _refuse_existing(folder, force=force)
        today = dt.datetime.now(zoneinfo.ZoneInfo(wishes.time_zone or "UTC")).date()
        made = propose(_source(table), wishes, answers, today)
        if answers.missing:
            raise UnansweredError
        if seconds:
            much = f"Trying models on the table, for about {seconds:g} seconds at most"
            print(f"{much}; --no-backtest leaves it out.", file=sys.stderr)
        made = tried(made, seconds, _progress)
        _write(made, folder)
    except UnansweredError:
        asked = "Nobody is there to be asked. Answer with flags, or take all of these with --yes:"
        flags = "".join(f"\n  {flag}" for flag in answers.missing)
        print(f"{asked}{flags}\nNothing was written.", file=sys.stderr)
        return 2
    except (SourceError, UndecidableError, ProjectError, OSError) as error:
        print(f"{_with_flags(str(error))}\nNothing was written.", file=sys.stderr)
        return 1
    except (EOFError, KeyboardInterrupt):
        print("\nInterrupted; nothing was written.", file=sys.stderr)
        return 130
    print(_told(made, folder))
    return 0


def _progress(text: str) -> None:
    """Tell how far the backtest is, on one line of a terminal."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def project_name(text: str) -> str:
    """A name that a project may have, made of a text."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:60]
    return name if name[:1].isalpha() else f"p_{name}".rstrip("_")


def _refuse_existing(folder: Path, *, force: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise UndecidableError(f"{folder} is no folder; name another with --out")
    if (folder / SETTINGS).exists() and not force:
        raise UndecidableError(f"{folder / SETTINGS} exists; name another --out, or add --force")


def _source(table: Table) -> FileSettings | SqlSettings:
    if table.sql_url_env is not None:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", table.sql_url_env):
            raise UndecidableError(
                "--sql-url-env takes the name of an environment variable; set one to the URL, "
                "and name it"
            )
        return SqlSettings(kind="sql", url_env=table.sql_url_env, table=table.name)
    told = {flag: value for flag, value in table.csv.items() if value is not None}
    try:
        csv = CsvSettings.model_validate(told)
    except pydantic.ValidationError as error:
        detail = error.errors()[0]
        raise UndecidableError(f"--{detail['loc'][0]}: {detail['msg']}") from error
    settings = {"kind": "file", "path": absolute(table.name), "format": table.format, "csv": csv}
    settings["sheet"] = table.sheet
    return FileSettings.model_validate(settings)


def absolute(path: str) -> str:
    """A path that does not depend on the working folder; a URL as it is."""
    return path if "://" in path else os.path.abspath(os.path.expanduser(path))


def relative(source: FileSettings | SqlSettings, folder: Path) -> FileSettings | SqlSettings:
    """A source as settings in a folder name it: relative, unless only the root is shared."""
    if isinstance(source, SqlSettings) or "://" in source.path:
        return source
    shared = os.path.commonpath([source.path, folder])
    if shared == os.path.dirname(shared):
        return source
    path = Path(os.path.relpath(source.path, folder)).as_posix()
    return source.model_copy(update={"path": path})


def _with_flags(message: str) -> str:
    """A message that names flags where it names settings which are not written yet."""
    named = {f"csv.{flag}": f"--{flag.replace('_', '-')}" for flag in Table.CSV_FLAGS} | {
        "source.path": "the table",
        "source.table": "its name",
    }
    for setting, flag in named.items():
        message = message.replace(f"{setting} of the source", flag).replace(setting, flag)
    return message


def _write(made: Proposal, folder: Path) -> None:
    """Write both files once the settings load and read the table. ProjectError, SourceError."""
    named = replace(made, source=relative(made.source, folder))
    texts = {SETTINGS: settings_text(named), PROFILE: profile_text(named)}
    _read_some(drafted(texts[SETTINGS]).model_copy(update={"folder": folder}), made)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in reversed(texts.items()):  # the settings last: they make it a project
        written = folder / f".{name}.part"
        written.write_text(text, encoding="utf-8")
        written.replace(folder / name)


def _read_some(project: Project, made: Proposal) -> None:
    """Read the last days as a run would. UndecidableError when they are not what was expected."""
    table = make_source(project, settings=made.source)
    rows = table.read(made.days.due.back(made.days.end, LOOKED_AT), made.days.end)
    for name in project.number_columns:
        if rows[name].dtype != "float64":
            raise UndecidableError(
                f"column {name!r} holds {rows[name].iloc[0]!r}, which is no number"
            )
    aggregated(project.columns, project.aggregate, rows, to_come=True)


def _told(made: Proposal, folder: Path) -> str:
    notes = "".join(f"\n  {note}" for note in [*made.notes, *_found(made)])
    return (
        f"Wrote {folder / SETTINGS} and {folder / PROFILE}.{notes}\n"
        "Read both, then build its history and serve it:\n"
        f"  cd {shlex.quote(str(folder))} && {_without_variables()}{_command()} run"
    )


def _found(made: Proposal) -> Iterator[str]:
    """What the backtest came to."""
    choice = made.choice
    if choice is None:
        return
    if choice.backtest is None:
        yield f"Models are usual ones: {choice.untried}."
        return
    by_name = {result.name: result for result in choice.backtest.results if result.name}
    first, plain = by_name.get(choice.models[0].name), by_name.get(choice.baseline.name)
    text = f"{len(choice.backtest.results)} recipes were tried on {choice.backtest.days}"
    if first is not None:
        text += f": {first.name} has {choice.backtest.metric} {first.error:.4g}"
    if first is not None and plain is not None:
        text += f", {1 - first.error / plain.error:.0%} below {plain.name}"
    yield f"{text}. profile.md tells of all."


def _without_variables() -> str:
    """What keeps a command from another project that the variables of this shell name."""
    names = (PROJECT_VARIABLE, ROOT_VARIABLE, WORKSPACE_VARIABLE, INSTANCE_VARIABLE)
    unset = [f"-u {name}" for name in names if name in os.environ]
    return f"env {' '.join(unset)} " if unset else ""


def _command() -> str:
    """The command as this shell finds it."""
    this, found = Path(sys.executable).with_name(COMMAND), shutil.which(COMMAND)
    same = found is not None and (not this.exists() or this.samefile(found))
    return COMMAND if same else shlex.quote(str(this))
