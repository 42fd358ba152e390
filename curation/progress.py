"""What a long run shows: a live bar on a terminal, plain lines elsewhere."""

import time
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from curation.ledger import VideoRecord

__all__ = ["RunProgress"]


class RunProgress:
    """Counts videos, hours in and hours kept, and says how fast that goes."""

    def __init__(self, stream: TextIO) -> None:
        """Show progress on `stream`: a bar where it is a terminal."""
        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._todo = self._done = self._failed = 0
        self._in_s = self._diffusion_s = self._vae_s = 0.0
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def start(self, todo: int, already_done: int) -> None:
        """Say how much there is to do."""
        self._todo = todo
        self._started = time.monotonic()
        self._print(f"{todo} videos to curate" + (f", {already_done} done before" if already_done else ""))
        if self._console.is_terminal and todo:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=self._console,
            )
            self._bar.start()
            self._task = self._bar.add_task("curating", total=todo)

    def advance(self, record: VideoRecord) -> None:
        """Count one video that is done."""
        self._done += 1
        self._failed += record.status != "ok"
        self._in_s += record.duration_s or 0.0
        self._diffusion_s += record.kept_diffusion_s
        self._vae_s += record.kept_vae_s
        speed = self._in_s / max(time.monotonic() - self._started, 1e-9)
        if record.status == "ok":
            tiers = f"{record.kept_diffusion_s:.1f} s diffusion, {record.kept_vae_s:.1f} s vae"
            outcome = f"kept {tiers} of {record.duration_s:.1f} s"
        else:
            outcome = f"{record.status}: {record.error_code}: {record.error_detail}"
        self._print(f"[{self._done}/{self._todo}] {record.path}: {outcome}")
        if self._bar is not None:
            failed = f", {self._failed} failed" if self._failed else ""
            self._bar.update(
                self._task,
                advance=1,
                description=f"{_minutes(self._in_s)} in, kept {_minutes(self._diffusion_s)} diffusion "
                f"{_minutes(self._vae_s)} vae, {speed:.1f} times real time{failed}",
            )

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False)


def _minutes(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.1f} min"
