"""Public names of a package that are imported when they are first used (PEP 562).

A package with a public interface lists its names twice in its `__init__.py`: as imports for type checkers, and as
addresses for the interpreter, so that `import package` loads none of their modules::

    if TYPE_CHECKING:
        from manifests.dataset import Clip, Dataset
    else:
        __getattr__, __dir__ = lazy_attributes(__name__, {"Clip": "manifests.dataset", "Dataset": "manifests.dataset"})
"""

import importlib
import sys
from collections.abc import Callable, Mapping

__all__ = ["lazy_attributes"]


def lazy_attributes(
    package: str, modules: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Make the functions `__getattr__` and `__dir__` of a package.

    Args:
        package: its `__name__`.
        modules: by public name, the module that defines it. `module:name` where it has another name there. No public
            name may be that of a submodule of the package: importing the submodule would replace it.

    Returns:
        Both functions, in this order. An unknown name raises AttributeError, as for any module.

    >>> resolve, names = lazy_attributes("foundation", {"text_table": "foundation.text", "clock": "time:monotonic"})
    >>> resolve("clock")
    <built-in function monotonic>
    >>> {"text_table", "clock"} <= set(names())
    True
    >>> resolve("another")
    Traceback (most recent call last):
    AttributeError: module 'foundation' has no attribute 'another'
    """

    def resolve(name: str) -> object:
        address = modules.get(name)
        if address is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name)
        module, _, attribute = address.partition(":")
        value: object = getattr(importlib.import_module(module), attribute or name)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *modules})

    return resolve, names
