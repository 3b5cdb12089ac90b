"""`python -m mlops_assets.cli.check [TARGET]`: whether what plugins register keeps its contracts.

TARGET is a settings file, whose plugins are checked, or a plugin module, by name or by file.
"""

import argparse
import sys

from mlops_assets.contracts.checking import contracts
from mlops_assets.project import ProjectError
from mlops_assets.project.plugin_loader import PluginError


def main(arguments: list[str] | None = None) -> int:
    """Print every entry with its problems; 1 where there is one."""
    parser = argparse.ArgumentParser(prog="python -m mlops_assets.cli.check", description=__doc__)
    parser.add_argument("target", nargs="?", default="", help="by default the settings in use")
    target = parser.parse_args(arguments).target
    try:
        found = list(contracts(target))
    except (PluginError, ProjectError) as error:
        print(error)
        return 1
    if not found:
        print("The settings name no plugins: there is nothing to check.")
    broken = 0
    for contract in found:
        problems = contract.problems()
        broken += bool(problems)
        print(f"{contract}: {'keeps its contract' if not problems else contract.place}")
        for problem in problems:
            print(f"  - {problem}")
    if broken:
        print(f"{broken} of {len(found)} do not keep their contract.")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
