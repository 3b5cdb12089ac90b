"""Tells whether what plugins register keeps its contracts."""

from mlops_assets.contracts.checking import contracts


def check(target: str = "") -> int:
    """Print every entry with its problems; 1 where there is one.

    ProjectError or PluginError where the target cannot be loaded.
    """
    found = list(contracts(target))
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
