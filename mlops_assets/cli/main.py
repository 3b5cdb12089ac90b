"""The command `mlops-assets`.

What a command does is imported when it acts: explaining itself takes no longer than starting does.
"""

from __future__ import annotations

import datetime as dt
import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from mlops_assets.cli.new import new

HOST, PORT = "127.0.0.1", 3000


class OneDoor(click.Group):
    """Tells what is wrong with settings, storage or plugins as an error, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException):
            raise  # such as after --help, for which nothing is to be imported
        except _refusals() as error:
            raise click.ClickException(str(error)) from error
        except _of_the_disk() as error:
            from mlops_assets.resources.disk import why_of

            if why := why_of(error):
                raise click.ClickException(why) from error
            raise


def _refusals() -> tuple[type[Exception], ...]:
    from mlops_assets.project import ProjectError
    from mlops_assets.project.plugin_loader import PluginError
    from mlops_assets.resources.storage import StorageError

    return ProjectError, PluginError, StorageError


def _of_the_disk() -> tuple[type[Exception], ...]:
    from mlops_assets.lazy import sa

    return OSError, sa.exc.OperationalError


@click.group(
    cls=OneDoor,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
    epilog="The settings are those that MLOPS_PROJECT names, else the nearest project.yaml: in the "
    "working folder or one above it. Beside them lie storage/ (or MLOPS_ROOT), .dagster/ (or "
    "DAGSTER_HOME) and, for several projects, workspace.yaml (or MLOPS_WORKSPACE).",
)
@click.version_option(package_name="mlops_assets", message="%(prog)s %(version)s")
def main() -> None:
    """Prediction models that are trained, evaluated and watched as Dagster assets."""


def served_at(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say where a command serves."""
    port = click.option(
        "--port", type=click.IntRange(1, 65534), default=PORT, help="of the web UI; pages: the next"
    )
    host = click.option("--host", default=HOST, help="the address to listen on")
    allowed = click.option(
        "--allow-host",
        "allowed",
        multiple=True,
        help="a further name under which browsers may ask for it, such as that of a proxy; with "
        "its port, unless that is the usual one",
    )
    return host(port(allowed(command)))


@main.command()
@served_at
@click.option("--no-history", is_flag=True, help="serve what there is at once")
def run(host: str, port: int, allowed: tuple[str, ...], no_history: bool) -> None:
    """Build what is missing of the history, then serve.

    \b
    Example:
      mlops-assets run --port 4000
    """
    from mlops_assets.cli import serve

    serve.refuse_taken_ports(host, port)
    if not no_history and (code := _build()):
        click.echo("To serve what there is: mlops-assets run --no-history", err=True)
        sys.exit(code)
    # in the place of this process, which holds all that building has imported
    serve.replace_process(host, port, allowed)


@main.command()
def history() -> None:
    """Build what is missing of the history, and end.

    Interrupted, it goes on where it stopped.

    \b
    Example:
      mlops-assets history
    """
    sys.exit(_build())


def _build() -> int:
    from mlops_assets.cli.history import build_all
    from mlops_assets.cli.instance import prepare_instance
    from mlops_assets.project.workspace import project_names

    names = project_names()
    prepare_instance()
    return build_all(names)


@main.command()
@served_at
def serve(host: str, port: int, allowed: tuple[str, ...]) -> None:
    """Serve the web UI, schedules, sensors and pages.

    \b
    Example:
      mlops-assets serve --port 4000
    """
    from mlops_assets.cli import serve as served
    from mlops_assets.cli.instance import look_into_instance, prepare_instance
    from mlops_assets.project.workspace import project_names

    served.refuse_taken_ports(host, port)
    names = project_names()
    prepare_instance()
    look_into_instance()
    sys.exit(served.serve(host, port, names, allowed))


main.add_command(new)


@main.command()
@click.option("--host", default=HOST, show_default=True, help="the address to listen on")
@click.option("--port", default=PORT + 1, show_default=True, help="its port")
def pages(host: str, port: int) -> None:
    """Serve the pages alone.

    They link to the web UI at WEB_URL; the names by which they are asked for besides their address
    are in MLOPS_ALLOWED_HOSTS.

    \b
    Example:
      mlops-assets pages --port 3001
    """
    from mlops_assets.cli.serve import make_pages
    from mlops_assets.project.workspace import project_names

    make_pages(host, port, project_names()).run()


@main.command()
@click.argument("target", default="")
@click.option("--stored", is_flag=True, help="check all that is stored instead")
@click.option("--repair", is_flag=True, help="with --stored: do what is safe")
def check(target: str, stored: bool, repair: bool) -> None:
    """Tell whether plugins, or all that is stored, are sound.

    Plugins, whether what they register keeps its contracts: TARGET is a settings file, whose
    plugins are checked, or a plugin module, by name or by file; by default the settings in use. Of
    these it is told as well what is stored for other settings, and which command makes it again.
    With --stored every stored file is read and verified, and compared with the event log.

    \b
    Example:
      mlops-assets check ideas.py
      mlops-assets check --stored
    """
    if (stored and target) or (repair and not stored):
        raise click.UsageError("--stored takes no TARGET, and --repair goes with --stored")
    if stored:
        from mlops_assets.cli.stored import check_stored
        from mlops_assets.project.workspace import project_names

        sys.exit(check_stored(project_names(), repair))
    from mlops_assets.cli.check import check as checked

    code = checked(target)
    if not target:
        from mlops_assets.cli.outdated import check_settings
        from mlops_assets.project.workspace import load_named, project_names

        for name in project_names():
            check_settings(load_named(name))
    sys.exit(code)


@main.command()
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="write it to a file")
def schema(out: Path | None) -> None:
    """Print the JSON schema of the settings, for editors.

    \b
    Example:
      mlops-assets schema --out project.schema.json
    """
    from mlops_assets.project import json_schema

    if out is None:
        click.echo(json_schema(), nl=False)
        return
    try:
        out.write_text(json_schema(), encoding="utf-8")
    except OSError as error:
        raise click.FileError(str(out), error.strerror) from error


@main.command()
@click.option("--to", required=True, help="the folder, or fsspec URL, to write into")
@click.option("--format", "form", type=click.Choice(["csv", "parquet"]), default="csv")
@click.option("--first", type=click.DateTime(["%Y-%m-%d"]), help="day; without it, all")
@click.option("--last", type=click.DateTime(["%Y-%m-%d"]), help="day; without it, all")
def export(to: str, form: str, first: dt.datetime | None, last: dt.datetime | None) -> None:
    """Write what is stored as tables for other tools.

    Scores, forecasts, rows, versions, decisions and alerts; those of days are one file a month.
    From a notebook: `from mlops_assets import read`.

    \b
    Example:
      mlops-assets export --to tables --first 2026-11-01
    """
    from mlops_assets.cli.export import export as exported
    from mlops_assets.project.workspace import project_names

    ends = [None if day is None else f"{day:%Y-%m-%d}" for day in (first, last)]
    exported(project_names(), to, form, *ends)


@main.command()
@click.option("--to", required=True, help="an empty folder, or fsspec URL")
def backup(to: str) -> None:
    """Copy all that is stored and recorded elsewhere.

    Also while the project is served: each file and database is copied as it is at one moment. Runs
    and events in PostgreSQL are not in it; `pg_dump` copies those.

    \b
    Example:
      mlops-assets backup --to s3://backups/2026-11-30
    """
    from mlops_assets.cli.backup import backup as copied

    copied(to)


@main.command()
@click.option("--from", "source", required=True, help="what a backup was written to")
def restore(source: str) -> None:
    """Copy a backup back, where nothing is stored.

    The same again completes one that was interrupted.

    \b
    Example:
      mlops-assets restore --from s3://backups/2026-11-30
    """
    from mlops_assets.cli.backup import restore as copied

    copied(source)


@main.command()
@click.option(
    "--older", type=click.IntRange(min=28), default=365, help="days after which it counts"
)
@click.option("--yes", is_flag=True, help="remove it; without this it is told what would be")
def prune(older: int, yes: bool) -> None:
    """Remove what is stored and of no use any more.

    Versions that serve no day and that no score, decision, pin or entry of the audit trail names;
    of old days what previous versions forecast in shadow; and all of the days before the first one:
    to let days go, set `first_day` in the settings. Who was champion stays.

    \b
    Example:
      mlops-assets prune --older 730
    """
    from mlops_assets.cli.prune import prune as pruned
    from mlops_assets.project.workspace import project_names

    pruned(project_names(), older, yes)


@main.command("rebuild-instance")
def rebuild_instance() -> None:
    """Tell an instance what is stored.

    For one that was lost, or a new one such as PostgreSQL in place of SQLite: days, months and
    versions are registered, the newest with what its checks said; nothing is trained anew. Plots of
    the web UI begin with the next evaluation, pages show all of the past.

    \b
    Example:
      mlops-assets rebuild-instance
    """
    from mlops_assets.cli.instance import prepare_instance
    from mlops_assets.cli.rebuild import rebuild_instance as rebuilt
    from mlops_assets.project.workspace import project_names

    prepare_instance()
    rebuilt(project_names())


@main.command()
def status() -> None:
    """Tell how the projects are doing, from what is stored.

    The newest evaluated day, the champion and its score beside the baseline's, open problems, runs
    under way and the next ticks of the schedules; also while nothing is served.

    \b
    Example:
      mlops-assets status
    """
    gc.disable()  # looking for garbage among all that is imported took a fifth of the time
    try:
        from mlops_assets.cli.status import print_status
        from mlops_assets.project.workspace import project_names

        print_status(project_names())
    finally:
        gc.enable()
