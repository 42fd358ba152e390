"""The script that makes the reference of the Python interface, loaded as a module."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def load_generator(repository: Path) -> ModuleType:
    """Load docs/make_python_reference.py, which is in no package."""
    name = "make_python_reference"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, repository / "docs" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]
