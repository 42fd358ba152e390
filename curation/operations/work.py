"""Steps that `run`, `retry` and `decide` share: curating videos into an open dataset, finding a source again."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from curation.engine.execution import Executor, RunWatcher
from curation.engine.worker import WorkerPlan
from curation.media.decoders import require_decoder
from curation.output.folder import DatasetFolder
from curation.output.ledger import VideoRecord
from curation.sources.entries import SourceError, SourceVideo
from curation.sources.identify import listed_again
from foundation.signals import CtrlC
from foundation.storage.leases import token_of
from foundation.storage.path_text import path_of_text

__all__ = ["curate_videos", "unchanged_source"]


def curate_videos(
    folder: DatasetFolder,
    videos: Sequence[SourceVideo],
    executor: Executor,
    *,
    already_done: int = 0,
    completes: bool = False,
    watcher: RunWatcher | None,
    ctrl_c: CtrlC | None,
) -> Iterator[VideoRecord]:
    """Yield the record of each video once it is in the ledger; the work starts with the first iteration.

    Args:
        folder: the dataset, whose settings and rules hold, and under whose lease workers write.
        videos: what to curate.
        executor: where the work is done.
        already_done: how many an earlier run has done.
        completes: whether some of the videos are curated already, and lack what is measured now.
        watcher: is informed of the progress.
        ctrl_c: ends the work early.

    Raises:
        MissingAssetsError: weights are missing.
        MissingPackageError: the decoder is not installed.
        RayUnavailableError: no cluster could be reached.
        OSError: the dataset cannot be written.
        KeyboardInterrupt: the user ended it at once.
    """
    require_decoder(folder.settings.media)
    plan = WorkerPlan(
        settings=folder.settings.in_use,
        dataset=folder.path,
        scratch=executor.scratch,
        rules=folder.rules,
        completes=completes,
        lease=token_of(folder.path),
    )
    return executor.curate(plan, videos, already_done=already_done, watcher=watcher, ctrl_c=ctrl_c)


def unchanged_source(record: VideoRecord, *, consequence: str) -> SourceVideo:
    """Return the file that a record is about; one that could not be read then has the id of its content now.

    Args:
        record: of the ledger or the table `videos`.
        consequence: end of the message where the file cannot be had, such as "nothing was retried".

    Raises:
        SourceError: the file cannot be read, or has other content now.
    """
    path = path_of_text(record.path)
    try:
        video = listed_again(record.listing())
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}{_hint(path)}; {consequence}") from error
    if video is None:
        raise SourceError(
            f"{path} has other content than before: `gaia-curate run` takes it as the new video it is; {consequence}"
        )
    return video


def _hint(path: Path) -> str:
    """Return what may keep an address of the web from being opened."""
    if not str(path).startswith(("http://", "https://")):
        return ""
    return (
        " (a dataset keeps addresses without passwords, tokens and signatures: if this one needs them, give "
        "`gaia-curate run` a list of fresh addresses, which knows its videos by their content)"
    )
