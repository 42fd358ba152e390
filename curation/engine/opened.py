"""Opening of a source for a unit of work: whatever goes wrong while it is read is a fault of the video."""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from curation.engine.worker import VideoWorker
from curation.media.errors import MediaError
from curation.media.probe import VideoInfo
from curation.output.ledger import VideoRecord
from curation.rules.rule import RuleError
from curation.sources.entries import SourceVideo
from curation.sources.scratch import readable
from foundation.storage.locations import StorageError
from foundation.text import shown

__all__ = ["opened"]

_log = logging.getLogger(__name__)


@contextmanager
def opened(
    worker: VideoWorker,
    video: SourceVideo,
    info: VideoInfo | None,
    *,
    step: str,
    whole: bool = True,
    earlier: VideoRecord | None = None,
) -> Iterator[VideoInfo]:
    """Open the source for reading; errors inside count as faults of the video.

    Args:
        worker: reads it.
        video: the source.
        info: of the source, if it was probed before; None probes it now.
        step: name of the unit, for the log.
        whole: whether most of the source will be read.
        earlier: its record, if an earlier run has curated it.

    Raises:
        MediaError: anything went wrong but the dataset's storage and the user's own rules.
    """
    try:
        with readable(video, worker.plan.scratch, whole=whole) as path:
            yield worker.probed(path, earlier) if info is None else replace(info, path=path)
    except (MediaError, StorageError):  # StorageError is about the dataset: a fault of a source has a code
        raise
    except RuleError as error:
        raise RuleError(f"{video.path}: {error}. What is done is kept; correct the rule, run again") from error
    except Exception as error:
        _log.error("%s: curating it failed:\n%s", step, shown(traceback.format_exc(), several_lines=True))
        raise MediaError("internal", f"{type(error).__name__}: {error}") from error
