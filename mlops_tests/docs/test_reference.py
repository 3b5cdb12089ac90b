"""docs/reference.md is what the code says."""

import importlib.util
import re

from mlops_tests.small import REPOSITORY

FILE = REPOSITORY / "docs" / "reference.py"


def test_the_page_is_that_of_the_code() -> None:
    spec = importlib.util.spec_from_file_location("reference", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = module.page()
    assert page == FILE.with_suffix(".md").read_text(encoding="utf-8"), "run `make reference`"
    # it is read to the end, and nothing is told of a machine or of one model
    for word in ("`ridge`", "`wmape`", "`evaluate_job`", "`mlops-assets status`", "`row_count`"):
        assert word in page
    assert not re.search(r"retrain_(linear|tree)_job|127\.0\.0\.1:3001/", page)
