"""Python packages: the name of this project's own, and optional ones with the command that installs them."""

import importlib
from types import ModuleType

from foundation.errors import CannotStartError

__all__ = ["DENOISER_PACKAGE", "DISTRIBUTION", "MissingPackageError", "import_package", "install_command"]

DISTRIBUTION = "gaia-avatar"
"""Name of this project on a package index."""

DENOISER_PACKAGE = "denoiser==0.1.5"
"""Facebook's denoiser, installed without the packages that it declares: the network needs torch alone, torchaudio's
wheel breaks transformers if torch is built for the CPU, and its Hydra is of 2020."""

_REQUIREMENTS = {"denoiser": f"--no-deps {DENOISER_PACKAGE}"}
"""Arguments of `pip install`, where they are more than the package's name."""


class MissingPackageError(CannotStartError):
    """A package that the settings need is not installed; the message has the command that installs it."""


def import_package(module: str) -> ModuleType:
    """Return the module of that name.

    Raises:
        MissingPackageError: its package is not installed, or does not import.
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ImportError as error:
        state = "is not installed" if error.name == package else f"does not import ({error})"
        raise MissingPackageError(
            f"the package {package!r}, which the settings ask for, {state}; install it with: {install_command(package)}"
        ) from error


def install_command(package: str) -> str:
    """Return the command that installs a package of the package index.

    >>> install_command("transformers")
    'python -m pip install transformers'
    """
    return f"python -m pip install {_REQUIREMENTS.get(package, package)}"
