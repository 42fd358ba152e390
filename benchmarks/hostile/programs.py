"""The programs whose commands are run: `gaia-curate`, `gaia-train`, `gaia-generate`, and the library itself."""

import importlib
import pkgutil
import sys
from collections.abc import Callable

from benchmarks.hostile.commands import VIDEO, Command
from benchmarks.hostile.material import Place
from foundation.errors import GaiaError

__all__ = ["load_everything", "main_of"]


def main_of(command: Command, place: Place) -> Callable[[], int]:
    """Return what the command does, as a function that returns its exit code or ends like the command."""

    def work() -> int:
        import torch

        torch.set_num_threads(1)
        arguments = [str(one) for one in command.arguments(place)]
        if command.program == "python":
            return _read_dataset(arguments[0])
        sys.argv = [command.program, *arguments]
        _PROGRAMS[command.program]()()
        return 0

    return work


def _curation() -> Callable[[], None]:
    from curation.cli.app import main

    return main


def _training() -> Callable[[], None]:
    from training.cli.app import main

    return main


def _generation() -> Callable[[], None]:
    from generation.cli import main

    return main


_PROGRAMS = {"gaia-curate": _curation, "gaia-train": _training, "gaia-generate": _generation}


def _read_dataset(path: str) -> int:
    """Read everything of a dataset with the library; an error of ours ends as a command with it would."""
    from manifests import Dataset

    try:
        data = Dataset(path)
        repr(data)
        data.videos("all")
        data.spans()
        table = data.clips(columns="all")
        data.frames(VIDEO, "all")
        data.statistics()
        for number in range(len(table)):
            clip = data.clip(number)
            clip.frames(), clip.audio(), clip.landmarks(), clip.contact_sheet()
    except GaiaError as error:
        sys.stderr.write(f"python: {error}\n")
        return error.exit_code
    return 0


_IMPORTED_WHERE_USED = (
    "cv2", "faiss", "onnx", "PIL.ImageDraw", "scipy.ndimage", "scipy.signal", "torch._dynamo", "typer.rich_utils",
)  # fmt: skip
"""Libraries that commands import in the course of their work; none of these starts a thread on being imported."""


def load_everything() -> None:
    """Import every module of the project and what it imports late, so that a forked process begins with its work."""
    for name in _IMPORTED_WHERE_USED:
        importlib.import_module(name)
    packages = ("foundation", "manifests", "curation", "models", "training", "generation")
    for package in packages:
        found = importlib.import_module(package)
        for module in pkgutil.walk_packages(found.__path__, f"{package}."):
            if ".teaching" not in module.name:
                importlib.import_module(module.name)
