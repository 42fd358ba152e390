"""Python packages: the name of this project's own, and optional ones with the command that installs them."""

import importlib
import importlib.metadata
import re
import shlex
from types import ModuleType

from foundation.errors import CannotStartError

__all__ = ["DENOISER_PACKAGE", "DISTRIBUTION", "MissingPackageError", "import_package", "install_command"]

DISTRIBUTION = "gaia-avatar"
"""Name of this project on a package index."""

DENOISER_PACKAGE = "denoiser==0.1.5"
"""Facebook's denoiser, installed without the packages that it declares: the network needs torch alone, torchaudio's
wheel breaks transformers if torch is built for the CPU, and its Hydra is of 2020."""

_WITHOUT_DEPENDENCIES = {"denoiser": DENOISER_PACKAGE}
"""Packages that this project does not declare, by name: their releases, installed without what they declare."""


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
    """Return the command that installs a package of the package index, in a release that this project works with.

    >>> install_command("denoiser")
    'python -m pip install --no-deps denoiser==0.1.5'
    """
    if package in _WITHOUT_DEPENDENCIES:
        return f"python -m pip install --no-deps {_WITHOUT_DEPENDENCIES[package]}"
    return f"python -m pip install {shlex.quote(_requirement(package))}"


def _requirement(package: str) -> str:
    """Return what this project's own metadata ask for, such as `av<20,>=18`; the name where they are silent."""
    try:
        declared = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return package
    for line in declared:
        requirement = line.partition(";")[0].strip()
        if re.fullmatch(rf"{re.escape(package)}(\W.*)?", requirement) and "[" not in requirement:
            return requirement
    return package
