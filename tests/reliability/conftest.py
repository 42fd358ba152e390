"""Modules that only these tests import; they lie here, on no import path, so their names are bound once."""

import importlib.util
import sys
from pathlib import Path

for _name in ("readers", "damaged_videos"):
    if _name not in sys.modules:
        _spec = importlib.util.spec_from_file_location(_name, Path(__file__).resolve().with_name(f"{_name}.py"))
        assert _spec is not None
        assert _spec.loader is not None
        sys.modules[_name] = importlib.util.module_from_spec(_spec)
        _spec.loader.exec_module(sys.modules[_name])
