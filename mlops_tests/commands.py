"""The command `mlops-assets` in this process."""

from typing import Any

from mlops_assets.cli.main import main


def command(*arguments: object, person: Any = None) -> int:
    """The exit code of the command; `person` answers what `new` asks.

    `new` takes its rule of thumb, unless it is told how long to try models.
    """
    told = [str(argument) for argument in arguments]
    if told[:1] == ["new"] and "--seconds" not in told:
        told.append("--no-backtest")
    try:
        main(told, prog_name="mlops-assets", obj=person)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0
