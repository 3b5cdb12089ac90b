"""`mlops-assets new`: its flags. What it does is imported when it acts."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlops_assets.new.wishes import ABSENT, KEEP, REDUCTIONS, REPEATS, Wishes

if TYPE_CHECKING:
    from mlops_assets.new.answers import Answers

TASKS = ("regression", "classification")
FORMATS = ("csv", "parquet", "excel", "json", "feather")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DATE_ORDERS = ("day_first", "month_first")


def _names(ctx: click.Context, param: click.Parameter, value: str | None) -> list[str] | None:
    from mlops_assets.new.answers import names_in

    return None if value is None else names_in(value)


def _zone(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    from mlops_assets.project import check_time_zone

    try:
        return None if value is None else check_time_zone(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _place(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    from mlops_assets.ml.due_days import known_place

    try:
        return value and known_place(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


OPTIONS = [
    click.option("--out", help="the folder of the new project; by default called like the table"),
    click.option("--target", help="the column to forecast"),
    click.option(
        "--task", type=click.Choice(TASKS), help="whether the target is a number or one of classes"
    ),
    click.option("--positive", help="of two classes, the one whose probability is forecast"),
    click.option("--date", help="the column that says the day of a row"),
    click.option(
        "--series",
        callback=_names,
        metavar="A,B",
        help='the columns that name a series; "" for none',
    ),
    click.option(
        "--leave-out",
        callback=_names,
        metavar="A,B",
        help='columns that are known only after the day; "" for none',
    ),
    click.option(
        "--keep",
        callback=_names,
        metavar="A,B",
        help='columns that tell the target, and yet are known before the day; "" for none',
    ),
    click.option(
        "--aggregate",
        type=click.Choice([*REDUCTIONS, KEEP]),
        help="what the targets of a day come to, where a day has many rows",
    ),
    click.option(
        "--repeated",
        type=click.Choice(REPEATS),
        help="what several rows of a series and day come to",
    ),
    click.option("--weight", help="the column that says how much a row counts"),
    click.option(
        "--absent",
        type=click.Choice(ABSENT),
        help="what a series without a row of a day is: 0, as where nothing was sold, or missing",
    ),
    click.option(
        "--replay/--no-replay",
        default=None,
        help="play a finished recording again, up to yesterday",
    ),
    click.option("--time-zone", callback=_zone, help="in which a day begins; UTC by default"),
    click.option(
        "--holidays",
        callback=_place,
        metavar="PLACE",
        help='on whose no rows are due: DE, DE-BY, XNYS; "" for none',
    ),
    click.option(
        "--week-begins",
        type=click.Choice(WEEKDAYS),
        help="the first day of a week, where rows are of weeks",
    ),
    click.option(
        "--sql-url-env",
        metavar="NAME",
        help="the environment variable with the URL of the database",
    ),
    click.option(
        "--format",
        type=click.Choice(FORMATS),
        help="of the files, where their names do not tell",
    ),
    click.option("--sheet", help="of an Excel file that has several"),
    *(
        click.option(f"--{flag}", help=f"csv.{flag} of the source, where it is not found")
        for flag in ("delimiter", "quote", "decimal", "thousands", "encoding", "skip-lines")
    ),
    click.option("--dates", type=click.Choice(DATE_ORDERS), help="how 01/02/2026 is meant"),
    click.option("--name", help="of the project; that of the folder by default"),
    click.option("--owner", default="team:data", help="team:NAME or an e-mail address"),
    click.option(
        "--seconds",
        type=click.FloatRange(1, 86_400),
        default=60.0,
        show_default=True,
        help="how long models are tried on the table at most",
    ),
    click.option(
        "--backtest/--no-backtest",
        default=True,
        help="try models on the table, or take a rule of thumb",
    ),
    click.option("--yes", is_flag=True, help="take every inferred answer"),
    click.option("--force", is_flag=True, help="replace settings that are there"),
]


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """A command with the options, in their order."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@click.command()
@click.argument("table")
@with_options
@click.pass_obj
def new(answers: Answers | None, /, table: str, out: str | None, **flags: Any) -> None:
    """Look at a table and write the settings of a project.

    TABLE is a CSV, Parquet, Excel, JSON or Feather file, a folder or glob of them, a URL; or a SQL
    table, with --sql-url-env.

    \b
    Example:
      mlops-assets new sales.csv --target units --out demand
    """
    from mlops_assets.new.answers import Answers
    from mlops_assets.new.making import Table, make_project, project_name

    folder = Path(out or _called_like(table, sql=flags["sql_url_env"] is not None)).resolve()
    csv = {flag: flags.pop(flag) for flag in Table.CSV_FLAGS}
    source = Table(table, flags.pop("sql_url_env"), flags.pop("format"), csv, flags.pop("sheet"))
    yes, force = flags.pop("yes"), flags.pop("force")
    seconds = flags.pop("seconds") * flags.pop("backtest")
    flags["name"] = project_name(flags["name"] or folder.name)
    answers = answers or Answers(yes=yes, interactive=sys.stdin.isatty())
    sys.exit(make_project(source, Wishes(**flags), folder, answers, force=force, seconds=seconds))


def _called_like(table: str, *, sql: bool) -> str:
    """The folder for the project of a table, where none is named."""
    last = re.split(r"[/\\]", table.rstrip("/\\"))[-1]
    name = last.replace(".", "_") if sql else last.split(".")[0]
    if not re.fullmatch(r"\w[\w -]*", name) or Path(name).resolve() == Path(table).resolve():
        raise click.UsageError(f"name the folder of the new project of {table} with --out")
    return name
