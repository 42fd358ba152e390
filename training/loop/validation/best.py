"""The best network of a run so far, kept apart from the checkpoints that are removed in turn.

RUN/best/ has a folder `step_N` with the exported network, and a pointer `latest` to it. A better one is written under a
temporary name and renamed before the pointer moves. The one before stays until the next checkpoint is complete: a run
that is killed sooner goes on from a checkpoint that knows the one before.
"""

from collections.abc import Mapping

from foundation.storage.atomic import write_bytes_atomic, write_json_atomic
from foundation.storage.leases import require_lease
from foundation.storage.staged import flush
from models.run_folder import RunFolder
from models.weights import save_tensors
from training.loop.checkpoints import Writing, remove_folder, tensors_of_export
from training.loop.parallel import Ranks
from training.loop.run_state import RunState
from training.loop.task import Export

__all__ = ["BestWeights"]


class BestWeights:
    """The folder RUN/best. Every rank has to call each method, and the first one writes."""

    def __init__(self, run: RunFolder, ranks: Ranks) -> None:
        self._run, self._ranks = run, ranks
        self._kept = RunFolder(run.best)

    def holds(self, step: int) -> bool:
        """Return whether the network of a step is there, for all ranks."""
        file = self._kept.checkpoint(step) / "export" / "ema.safetensors"
        return not self._ranks.any(not self._run.holds(file))

    def save(self, step: int, state: RunState, export: Export, metrics: Mapping[str, float]) -> None:
        """Write the averaged network after `step` steps, and point to it.

        Raises:
            OSError: the disk refused; the pointer names the network that it named before.
        """
        tensors = tensors_of_export(state, export, averaged=True)
        done = self._kept.checkpoint(step)
        writing = Writing(done.with_name(f"{done.name}.tmp"), self._ranks)

        def write() -> None:
            require_lease(self._run.path)
            remove_folder(writing.folder)
            save_tensors(writing.folder / "export" / "ema.safetensors", tensors, export.config, export.facts)
            write_json_atomic(writing.folder / "validation.json", {"step": step, **metrics})
            for folder in (writing.folder / "export", writing.folder):
                flush(folder)
            remove_folder(done)  # of a course that was given up
            writing.folder.rename(done)
            flush(self._kept.path)
            self._point(step)

        if self._ranks.first:
            writing.attempt(write)
        writing.require_all()

    def _point(self, step: int) -> None:
        write_bytes_atomic(self._kept.pointer, f"{self._kept.checkpoint(step).name}\n".encode())

    def restore(self, step: int) -> None:
        """Point to the network of an earlier step, which is there; later ones are of a course that was given up."""
        if self._ranks.first:
            self._point(step)

    def keep_only(self, step: int | None) -> None:
        """Remove the networks of all other steps; of all, where `step` is None."""
        if not self._ranks.first or not self._kept.path.is_dir():
            return
        kept = None if step is None else self._kept.checkpoint(step).name
        if kept is None:
            self._kept.pointer.unlink(missing_ok=True)
        for entry in sorted(self._kept.path.iterdir()):
            if entry.name.startswith("step_") and entry.name != kept:
                remove_folder(entry)
