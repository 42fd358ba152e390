import errno
import importlib
import pkgutil

import pytest
import typer

from foundation.command_line import exit_codes
from foundation.errors import CannotStartError, GaiaError, ProblemsFoundError, UsageError

PACKAGES = ("foundation", "manifests", "curation", "models", "training", "generation")


class DiskError(CannotStartError, OSError):
    """An error that is one of the operating system's too, as that of a store is."""


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UsageError("setting 'x' is unknown"), 2, "gaia: setting 'x' is unknown\n"),
        (CannotStartError("no weights"), 3, "gaia: no weights\n"),
        (ProblemsFoundError("2 clips are damaged"), 1, "gaia: 2 clips are damaged\n"),
        (DiskError("no room"), 3, "gaia: no room\n"),
        (PermissionError("not yours"), 3, "gaia: the dataset cannot be read or written: not yours\n"),
        (
            PermissionError(13, "Permission denied", "a.html"),
            3,
            "gaia: a.html cannot be read or written: Permission denied\n",
        ),
        (
            OSError(18, "Invalid cross-device link", "a.part", None, "b.yaml"),
            3,
            "gaia: a.part and b.yaml cannot be read or written: Invalid cross-device link\n",
        ),
        (KeyboardInterrupt(), 130, "gaia: Ctrl-C: ended at once; go on\n"),
    ],
)
def test_an_error_ends_the_command_with_its_own_code_and_one_line(
    error: BaseException, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended, exit_codes("gaia", files="the dataset", kept="go on"):
        raise error
    assert ended.value.exit_code == code
    assert capsys.readouterr().err == line


def test_a_full_disk_is_named_and_the_way_on_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended, exit_codes("gaia", files="the dataset", kept="go on"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert ended.value.exit_code == 3
    assert "the disk is full: [Errno 28]" in capsys.readouterr().err


def test_a_fault_of_the_program_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), exit_codes("gaia", files="the dataset", kept="go on"):
        _ = 1 / 0


def test_every_public_error_of_the_packages_derives_from_the_base_and_has_a_code() -> None:
    strangers = []
    for package in PACKAGES:
        for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            module = importlib.import_module(found.name)
            for name, kind in vars(module).items():
                ours = isinstance(kind, type) and issubclass(kind, Exception) and kind.__module__ == module.__name__
                if ours and not name.startswith("_") and not issubclass(kind, GaiaError):
                    strangers.append(f"{module.__name__}.{name}")
    assert strangers == []
