"""Completion of videos that an earlier run has curated: comparisons that are made now and were not then.

No frame is measured again. The evidence of the tables takes the place of the measurement, and the steps after it are
those of any other video. A video of which more ticks are measured now is measured as any other one instead.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from curation.engine.worker import VideoWorker
from curation.evidence.measures import Evidence, FrameEvidence
from curation.media.errors import MediaError
from curation.media.probe import VideoInfo
from curation.output.frame_rows import evidence_of_frames
from curation.output.ledger import VideoRecord
from curation.output.lip_evidence import without_stale
from curation.output.video_files import VideoFiles
from curation.output.window_files import write_window
from foundation.text import count_text
from manifests.timeline import TICK_RATE_HZ, Window

__all__ = ["restore_windows", "stored_evidence"]


def stored_evidence(worker: VideoWorker, info: VideoInfo, earlier: VideoRecord) -> Evidence:
    """Return the evidence of a short video, without what another model measured than that of the settings.

    Args:
        worker: reads it.
        info: what was probed of the video.
        earlier: its record.

    Raises:
        MediaError: the file has another length than it had.
        DatasetError, OSError: the evidence is damaged, or cannot be read.
    """
    _require_length(info, earlier)
    frames = pa.concat_tables(worker.stored.frames(earlier.video_id))
    evidence = evidence_of_frames(frames, info.n_ticks, worker.plan.settings.rules)
    return without_stale(evidence, earlier, worker.plan.settings.perception)


def restore_windows(
    worker: VideoWorker, files: VideoFiles, windows: Sequence[Window], info: VideoInfo, earlier: VideoRecord
) -> None:
    """Write the evidence of a long video's frames as its windows, one at a time, as if it had been measured now.

    Args:
        worker: reads it.
        files: of the video.
        windows: those that are not written yet.
        info: what was probed of the video.
        earlier: its record.

    Raises:
        MediaError: the file has another length than it had.
        DatasetError, OSError: the evidence is damaged, or the dataset cannot be read or written.
    """
    _require_length(info, earlier)
    spent_s = earlier.analyze_s
    for window, rows in _by_window(worker.stored.frames(earlier.video_id), windows):
        shifted = rows.set_column(1, rows.schema.field("tick"), pa.array(np.arange(len(rows)), pa.int32()))
        seen = evidence_of_frames(shifted, window.n_ticks, worker.plan.settings.rules)
        write_window(files, window, _frames_of(seen, worker.perception.descriptor_dim), spent_s)
        spent_s = 0.0


def _by_window(pieces: Iterable[pa.Table], windows: Sequence[Window]) -> Iterator[tuple[Window, pa.Table]]:
    """Yield the rows of each window, given those of the video in pieces.

    Raises:
        MediaError: rows are missing.
    """
    coming, waiting = iter(pieces), []
    last = -1
    for window in windows:
        while last < window.end_tick - 1 and (piece := next(coming, None)) is not None:
            waiting.append(piece)
            last = piece["tick"][-1].as_py()
        rows = pa.concat_tables(waiting)
        ticks = rows["tick"].to_numpy()
        own = rows.filter(pa.array((ticks >= window.first_tick) & (ticks < window.end_tick)))
        if len(own) != window.n_ticks:
            raise MediaError("internal", f"the evidence lacks ticks of {window.first_tick} to {window.end_tick}")
        waiting = [rows.filter(pa.array(ticks >= window.end_tick))]
        yield window, own


def _frames_of(seen: Evidence, descriptor_dim: int) -> FrameEvidence:
    """Return the evidence of frames alone; where none of them was described, of descriptors of the usual length."""
    faces = seen.faces
    descriptor = faces.descriptor
    if descriptor.shape[1] == 0:
        descriptor = np.full((len(faces), descriptor_dim), np.nan, dtype=np.float32)
    return FrameEvidence(
        decoded=seen.decoded, faces=faces, cut_score=seen.cut_score, grid=seen.grid, measured=seen.measured
    )


def _require_length(info: VideoInfo, earlier: VideoRecord) -> None:
    n_ticks = round((earlier.duration_s or 0.0) * TICK_RATE_HZ)
    if info.n_ticks != n_ticks:
        raise MediaError("internal", f"the file has {count_text(info.n_ticks, 'tick')} now, and had {n_ticks}")
