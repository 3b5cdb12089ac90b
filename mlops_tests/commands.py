"""The command `mlops-assets` in this process."""

from typing import Any

from mlops_assets.cli.main import main


def command(*arguments: object, person: Any = None) -> int:
    """The exit code of the command; `person` answers what `new` asks."""
    try:
        main([str(argument) for argument in arguments], prog_name="mlops-assets", obj=person)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0
