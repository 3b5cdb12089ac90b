"""`python -m mlops_assets`: the command `mlops-assets`."""

from mlops_assets.cli.main import main

main(prog_name="mlops-assets")
