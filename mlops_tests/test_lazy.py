"""skops finds functions as it would by itself, only sooner."""

import importlib.util
import sys

import numpy as np
import pytest
import scipy.special
import skops.io._utils

from mlops_assets import lazy


def test_functions_are_found_where_skops_finds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert vars(skops.io._utils)["whichmodule"] is lazy.whichmodule
    monkeypatch.setattr(sys, "meta_path", [f for f in sys.meta_path if f is not lazy.FINDER])
    spec = importlib.util.spec_from_file_location("skops.io._own", skops.io._utils.__file__)
    assert spec is not None
    assert spec.loader is not None
    own = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, own)
    spec.loader.exec_module(own)
    assert own.whichmodule is not lazy.whichmodule
    functions = {
        name: found
        for module in (np, scipy.special)
        for name, found in vars(module).items()
        if isinstance(found, np.ufunc)
    }
    assert len(functions) > 200
    functions["stranger"] = np.frompyfunc(abs, 1, 1)
    for name, function in [*functions.items(), ("NoneType", type(None))]:
        assert lazy.whichmodule(function, name) == own.whichmodule(function, name), name
