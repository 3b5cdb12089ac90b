"""Write the settings of a new project from a look at its table."""

import argparse
import datetime as dt
import os
import re
import shlex
import sys
import tempfile
import zoneinfo
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pydantic

from mlops_assets.ml.features.aggregation import aggregated
from mlops_assets.ml.metrics.metric import Task
from mlops_assets.new.answers import Answers, UnansweredError, names_in
from mlops_assets.new.inference.facts import UndecidableError
from mlops_assets.new.proposal import Proposal, propose
from mlops_assets.new.roles import KEEP, REDUCTIONS
from mlops_assets.new.text import profile_text, settings_text
from mlops_assets.new.wishes import Wishes
from mlops_assets.project import (
    CsvSettings,
    DateOrder,
    FileSettings,
    Project,
    ProjectError,
    SqlSettings,
    check_time_zone,
    load_project,
)
from mlops_assets.resources.sources import SourceError, make_source

SETTINGS, PROFILE = "project.yaml", "profile.md"
LOOKED_AT = 7  # days read through the finished settings
CSV_FLAGS = ("delimiter", "quote", "decimal", "thousands", "encoding", "dates")


def main(arguments: Sequence[str] | None = None, answers: Answers | None = None) -> int:
    """Write the files; 1 when the table does not make a project, 2 when an answer is missing."""
    options = _parser().parse_args(arguments)
    folder = Path(options.out).resolve()
    answers = answers or Answers(yes=options.yes, interactive=sys.stdin.isatty())
    try:
        _refuse_existing(folder, force=options.force)
        source = _source(options)
        made = propose(source, _wishes(options, folder), answers, _today(options))
        if answers.missing:
            raise UnansweredError
        _write(made, folder)
    except UnansweredError:
        print(_unanswered(answers.missing), file=sys.stderr)
        return 2
    except (SourceError, UndecidableError, ProjectError, OSError) as error:
        print(f"{_with_flags(str(error))}\nNothing was written.", file=sys.stderr)
        return 1
    except (EOFError, KeyboardInterrupt):
        print("\nInterrupted; nothing was written.", file=sys.stderr)
        return 130
    print(_told(made, folder))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mlops_assets.new", description=__doc__)
    parser.add_argument(
        "table",
        help="a CSV or Parquet file, a folder or glob of them, a URL; "
        "or a SQL table, with --sql-url-env",
    )
    parser.add_argument("--out", required=True, help="the folder of the new project")
    parser.add_argument("--target", help="the column to forecast")
    parser.add_argument(
        "--task", choices=get_args(Task), help="whether the target is a number or one of classes"
    )
    parser.add_argument("--positive", help="of two classes, the one whose probability is forecast")
    parser.add_argument("--date", help="the column that says the day of a row")
    parser.add_argument(
        "--series", type=names_in, metavar="A,B", help='the columns that name a series; "" for none'
    )
    parser.add_argument(
        "--leave-out",
        type=names_in,
        metavar="A,B",
        help='columns that are known only after the day; "" for none',
    )
    parser.add_argument(
        "--aggregate",
        choices=[*REDUCTIONS, KEEP],
        help="what the targets of a day come to, where a day has many rows",
    )
    parser.add_argument(
        "--replay",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="play a finished recording again, up to yesterday",
    )
    parser.add_argument("--time-zone", type=_zone, help="in which a day begins; UTC by default")
    parser.add_argument(
        "--sql-url-env",
        metavar="NAME",
        help="the environment variable with the URL of the database",
    )
    parser.add_argument(
        "--format", choices=["csv", "parquet"], help="of the files, where their names do not tell"
    )
    for flag in CSV_FLAGS[:-1]:
        parser.add_argument(f"--{flag}", help=f"csv.{flag} of the source, where it is not found")
    parser.add_argument(
        "--dates", choices=[order.value for order in DateOrder], help="how 01/02/2026 is meant"
    )
    parser.add_argument("--name", help="of the project; that of the folder by default")
    parser.add_argument("--owner", default="team:data", help="team:NAME or an e-mail address")
    parser.add_argument("--yes", action="store_true", help="take every inferred answer")
    parser.add_argument("--force", action="store_true", help="replace settings that are there")
    return parser  # fmt: skip


def _zone(name: str) -> str:
    try:
        return check_time_zone(name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _today(options: argparse.Namespace) -> dt.date:
    zone = zoneinfo.ZoneInfo(options.time_zone or "UTC")
    return dt.datetime.now(zone).date()


def _refuse_existing(folder: Path, *, force: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise UndecidableError(f"{folder} is no folder; name another with --out")
    if (folder / SETTINGS).exists() and not force:
        raise UndecidableError(f"{folder / SETTINGS} exists; name another --out, or add --force")


def _source(options: argparse.Namespace) -> FileSettings | SqlSettings:
    if options.sql_url_env is not None:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", options.sql_url_env):
            raise UndecidableError(
                f"--sql-url-env {options.sql_url_env!r} is no name of an environment variable; "
                "set one to the URL, and name it"
            )
        return SqlSettings(kind="sql", url_env=options.sql_url_env, table=options.table)
    told = {flag: getattr(options, flag) for flag in CSV_FLAGS}
    try:
        csv = CsvSettings(**{flag: value for flag, value in told.items() if value is not None})
    except pydantic.ValidationError as error:
        detail = error.errors()[0]
        raise UndecidableError(f"--{detail['loc'][0]}: {detail['msg']}") from error
    return FileSettings(kind="file", path=absolute(options.table), format=options.format, csv=csv)


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


def _wishes(options: argparse.Namespace, folder: Path) -> Wishes:
    name = re.sub(r"[^a-z0-9]+", "_", (options.name or folder.name).lower()).strip("_")[:60]
    return Wishes(
        name=name if name[:1].isalpha() else f"p_{name}".rstrip("_"),
        owner=options.owner,
        date=options.date,
        target=options.target,
        task=options.task,
        positive=options.positive,
        series=options.series,
        leave_out=options.leave_out,
        aggregate=options.aggregate,
        replay=options.replay,
        time_zone=options.time_zone,
    )


def _unanswered(missing: Sequence[str]) -> str:
    return (
        "Nobody is there to be asked. Answer with flags, or take all of these with --yes:\n"
        + "\n".join(f"  {flag}" for flag in missing)
        + "\nNothing was written."
    )


def _with_flags(message: str) -> str:
    """A message that names flags where it names settings which are not written yet."""
    named = {f"csv.{flag}": f"--{flag}" for flag in CSV_FLAGS} | {
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
    with tempfile.TemporaryDirectory() as elsewhere:
        draft = Path(elsewhere) / SETTINGS
        draft.write_text(texts[SETTINGS], encoding="utf-8")
        try:
            project = load_project(draft).model_copy(update={"folder": folder})
        except ProjectError as error:  # of a file that nobody will see
            message = str(error).replace(str(draft.resolve()), "what would be written")
            raise ProjectError(message) from error
    _read_some(project, made)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in reversed(texts.items()):  # the settings last: they make it a project
        written = folder / f".{name}.part"
        written.write_text(text, encoding="utf-8")
        written.replace(folder / name)


def _read_some(project: Project, made: Proposal) -> None:
    """Read the last days as a run would. UndecidableError when they are not what was expected."""
    table = make_source(project, settings=made.source)
    end = made.days.last + dt.timedelta(days=1)
    rows = table.read(end - dt.timedelta(days=LOOKED_AT), end)
    for name in project.number_columns:
        if rows[name].dtype != "float64":
            raise UndecidableError(
                f"column {name!r} holds {rows[name].iloc[0]!r}, which is no number"
            )
    aggregated(project.columns, project.aggregate, rows, to_come=True)


def _told(made: Proposal, folder: Path) -> str:
    notes = "".join(f"\n  {note}" for note in made.notes)
    place = shlex.quote(str(folder))
    return (
        f"Wrote {folder / SETTINGS} and {folder / PROFILE}.{notes}\n"
        "Read both, then build its history and serve it:\n"
        f"  make run MLOPS_PROJECT={place}/{SETTINGS} MLOPS_ROOT={place}/storage "
        f"DAGSTER_HOME={place}/.dagster"
    )


if __name__ == "__main__":
    sys.exit(main())
