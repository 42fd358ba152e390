"""Metrics log of a run: JSON lines, and the same for TensorBoard."""

import json
import os
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from torch import Tensor

from foundation.array_types import RgbImage
from foundation.errors import CannotStartError
from foundation.storage.atomic import replacing
from foundation.storage.regular_files import open_regular
from models.run_folder import RunFolder
from training.loop.parallel import Ranks

__all__ = ["MetricsError", "MetricsLog", "RunningMeans"]


_MAX_LINE_BYTES = 2**20


class MetricsError(CannotStartError):
    """A package that the log needs is missing; the message says what to do."""


class RunningMeans:
    """Means of scalars over steps and ranks. They stay on the device until `take`."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: defaultdict[str, int] = defaultdict(int)

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Add the scalars of a step."""
        for name, value in values.items():
            number = value.detach().float()
            self._sums[name] = self._sums[name] + number if name in self._sums else number
            self._counts[name] += 1

    def take(self, ranks: Ranks) -> dict[str, float]:
        """Return the means and reset them; every rank has to call it, with the same names."""
        if not self._sums:
            return {}
        names = sorted(self._sums)
        means = torch.stack([self._sums[name].to(ranks.device) / self._counts[name] for name in names])
        values = (ranks.sum(means) / ranks.size).tolist()
        self._sums.clear()
        self._counts.clear()
        return dict(zip(names, values, strict=True))


class MetricsLog:
    """Writer of a run's log from a step on; lines that an interrupted run wrote beyond it are removed."""

    def __init__(self, run: RunFolder, step: int, *, tensorboard: bool) -> None:
        """Open the log after `step` steps.

        Raises:
            MetricsError: TensorBoard is not installed.
        """
        _cut(run.metrics, step)
        self._files = ExitStack()
        self._lines = self._files.enter_context(run.metrics.open("a", encoding="utf-8"))
        self._board = None
        if tensorboard:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError as error:
                self._lines.close()
                raise MetricsError(
                    f"TensorBoard is not installed ({error}); `pip install tensorboard`, or give "
                    "--set train.tensorboard=false"
                ) from error
            self._board = SummaryWriter(run.tensorboard, purge_step=step + 1)

    def __enter__(self) -> Self:
        self._files.enter_context(_quiet_threads_of("tensorboard"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._files:
            if self._board is not None:
                self._board.close()

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Write the metrics of the steps up to `step`; numbers that are not finite as null."""
        finite = {name: value if abs(value) < float("inf") else None for name, value in values.items()}
        self._lines.write(json.dumps({"step": step, **finite}, allow_nan=False) + "\n")
        self._lines.flush()
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def show(self, step: int, previews: Mapping[str, RgbImage]) -> None:
        """Write preview images for TensorBoard."""
        if self._board is not None:
            for name, image in previews.items():
                self._board.add_image(name, image, step, dataformats="HWC")


@contextmanager
def _quiet_threads_of(package: str) -> Iterator[None]:
    """Print no traceback of an `OSError`, such as a full disk, that ends a thread of a package.

    TensorBoard writes in a thread of its own, and raises its error again in the caller's.
    """
    before = threading.excepthook

    def hook(ended: threading.ExceptHookArgs) -> None:
        if not (isinstance(ended.exc_value, OSError) and type(ended.thread).__module__.partition(".")[0] == package):
            before(ended)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before


def _cut(path: Path, step: int) -> None:
    """Remove the lines of steps after `step`, and all from the first on that is no line of a log.

    Raises:
        NotRegularFileError: the log is no file.
    """
    if not os.path.lexists(path):
        return
    with open_regular(path, follow_links=False) as lines, replacing(path) as kept:
        while (line := lines.readline(_MAX_LINE_BYTES)) and _is_of_steps_to(step, line):
            kept.write(line)


def _is_of_steps_to(step: int, line: bytes) -> bool:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return False
    number = values.get("step") if isinstance(values, dict) else None
    return line.endswith(b"\n") and type(number) is int and 0 < number <= step
