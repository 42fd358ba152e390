"""Long videos after the measurement of their windows: decide, render slice by slice, and join the slices.

Its intermediate files are in the folder of the windows, so that any worker can take the next step.
Memory holds the evidence that rules need for the complete video, about 3 MB a minute, and two windows or one slice.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from curation.decision.decide import ClipPlan, Decision
from curation.decision.main_face import main_face
from curation.evidence.joining import range_of, rows_of, stitch
from curation.evidence.main_track import MainTrack
from curation.evidence.measures import Evidence, Faces, FrameEvidence
from curation.media.memory import trim_heap
from curation.output.clip_rows import write_clips
from curation.output.curated_video import landmarks_of, spans_table
from curation.output.frame_rows import frames_table, stored_face
from curation.output.ledger import VideoRecord
from curation.output.video_files import WINDOWS, VideoFiles
from curation.output.window_files import read_window
from curation.rendering.render import ClipEvidence, RenderedClip
from curation.rendering.slices import Slice
from curation.settings import CurationSettings
from foundation.array_types import Float32Array, Int64Array
from foundation.storage.arrow import open_parquet, read_parquet
from foundation.storage.leases import require_lease
from foundation.storage.staged import StagedFiles
from manifests.files.descriptor_columns import without_descriptors
from manifests.files.tables import write_rows
from manifests.landmarks import LandmarkScheme
from manifests.packing.rows import write_packed
from manifests.packing.shards import MEDIA_COLUMNS, Shard, copy_media, moved
from manifests.schema.clips import CLIPS
from manifests.schema.face_measures import FACE_MEASURES
from manifests.schema.frames import FRAMES
from manifests.schema.videos import SPANS
from manifests.timeline import Window

__all__ = ["gather", "stored_clips", "unrendered", "write_decided", "write_slice"]

_HALO_TICKS = 25
"""Ticks beyond a seam that a bridge needs: at most 24 of its 25, and the detection after them."""

_RENDER_S = "gaia_render_s"
"""Key in the footer of a slice's rows: seconds that rendering it took."""


def write_decided(
    files: VideoFiles,
    windows: Sequence[Window],
    evidence: Evidence,
    decision: Decision,
    settings: CurationSettings,
) -> None:
    """Write a video's rows of `frames` and `spans` into the folder of windows, to wait until its clips are rendered.

    Args:
        files: of the video.
        windows: all windows, in order; their evidence is written.
        evidence: of the complete video, without landmarks and blendshapes.
        decision: made on it.
        settings: name the landmark scheme, and say whether descriptors are stored.

    Raises:
        OSError: the dataset cannot be read or written.
    """
    with StagedFiles() as staged:
        with staged.replacing(files.waiting_rows(FRAMES)) as stream:
            pieces = _frames_pieces(files, windows, evidence, decision, landmarks_of(settings))
            if not settings.privacy.descriptors_stored:
                pieces = map(without_descriptors, pieces)
            write_packed(stream, FRAMES, pieces, {})
        with staged.replacing(files.waiting_rows(SPANS)) as stream:
            write_rows(stream, spans_table(files.video.video_id, decision, len(evidence)), SPANS)
        require_lease(files.dataset)


def _frames_pieces(
    files: VideoFiles,
    windows: Sequence[Window],
    evidence: Evidence,
    decision: Decision,
    scheme: LandmarkScheme,
) -> Iterator[pa.Table]:
    """Yield the rows of `frames` window by window.

    Misses that are bridged across a seam depend on the evidence next to it, so that each window is joined with its
    neighbours' edges first.
    """
    faces_before = evidence.faces.tick.searchsorted
    before: tuple[Window, FrameEvidence] | None = None
    following = _measured(files, windows[0], evidence.faces)
    for number, window in enumerate(windows):
        current, near = following, [] if before is None else [before]
        near.append((window, current))
        if number + 1 < len(windows):
            after = windows[number + 1]
            following = _measured(files, after, evidence.faces)
            near.append(_within(after, following, after.first_tick, after.first_tick + _HALO_TICKS))
        near_windows = [near_window for near_window, _ in near]
        main = _main_of(near_windows, decision.main, int(faces_before(near_windows[0].first_tick)))
        face = main_face(stitch([near_evidence for _, near_evidence in near]).faces, main)
        n_before = 0 if before is None else before[0].n_ticks
        first_face, end_face = (int(faces_before(tick)) for tick in (window.first_tick, window.end_tick))
        own = slice(window.first_tick, window.end_tick)
        yield frames_table(
            files.video.video_id,
            Evidence(
                decoded=current.decoded,
                faces=current.faces,
                cut_score=evidence.cut_score[own],
                speech_prob=None if evidence.speech_prob is None else evidence.speech_prob[own],
                loudness_dbfs=None if evidence.loudness_dbfs is None else evidence.loudness_dbfs[own],
                grid=current.grid,
                measured=current.measured,
            ),
            Decision(
                track=decision.track[first_face:end_face],
                main=_main_of([window], decision.main, first_face),
                face=rows_of(face, n_before, n_before + window.n_ticks),
                spans=(),
                clips=(),
            ),
            scheme,
            window.first_tick,
        )
        before = _within(window, current, window.end_tick - _HALO_TICKS, window.end_tick)
        trim_heap()


def _measured(files: VideoFiles, window: Window, faces: Faces) -> FrameEvidence:
    """Return all evidence of a window, with the sparse measures, which were taken of the complete video.

    Args:
        files: of the video.
        window: the window.
        faces: of the complete video.
    """
    seen = read_window(files, window)
    own = slice(*faces.tick.searchsorted((window.first_tick, window.end_tick)))
    sparse: dict[str, Any] = {
        measure.field: None if (values := getattr(faces, measure.field)) is None else values[own]
        for measure in FACE_MEASURES
        if measure.sparse
    }
    return replace(seen, faces=replace(seen.faces, **sparse))


def _within(window: Window, evidence: FrameEvidence, first_tick: int, end_tick: int) -> tuple[Window, FrameEvidence]:
    """Return a window and its evidence, cut to ticks ``[first_tick, end_tick)`` of the video."""
    window_cut = Window(first_tick=max(first_tick, window.first_tick), end_tick=min(end_tick, window.end_tick))
    first, end = window_cut.first_tick - window.first_tick, window_cut.end_tick - window.first_tick
    return window_cut, range_of(evidence, first, end)


def _main_of(windows: Sequence[Window], main: MainTrack, first_face: int) -> MainTrack:
    """Return the main track of windows, one after the other, with faces counted from `first_face`."""
    ticks = np.concatenate([np.arange(window.first_tick, window.end_tick) for window in windows])
    face = main.face[ticks]
    return MainTrack(
        face=np.where(face >= 0, face - first_face, -1),
        track_id=main.track_id[ticks],
        bridged=main.bridged[ticks],
        changes=main.changes[ticks],
        rival_ratio=main.rival_ratio[ticks],
        speaks_alone=main.speaks_alone[ticks],
    )


def stored_clips(files: VideoFiles, plans: Sequence[ClipPlan]) -> Iterator[ClipEvidence]:
    """Yield the rows of `write_decided` for the ticks of planned clips, in order.

    Raises:
        OSError: it cannot be read.
        ValueError: it does not hold them.
    """
    path = files.waiting_rows(FRAMES)
    with open_parquet(path) as file:
        column = file.schema_arrow.get_field_index("tick")  # before it, no column has more than one leaf
        groups = [file.metadata.row_group(number).column(column).statistics for number in range(file.num_row_groups)]
        kept: tuple[list[int], pa.Table] | None = None  # most clips are in the row groups of the clip before
        for plan in plans:
            first = min(plan.first_tick, plan.heard.first_tick)
            end = max(plan.end_tick, plan.heard.end_tick)
            numbers = [n for n, ticks in enumerate(groups) if ticks.min < end and ticks.max >= first]
            if kept is None or kept[0] != numbers:
                kept = (numbers, file.read_row_groups(numbers, use_threads=False))
            ticks = kept[1]["tick"].to_numpy()
            rows = kept[1].filter(pa.array((ticks >= plan.first_tick) & (ticks < plan.end_tick)))
            if len(rows) != plan.n_ticks:
                raise ValueError(f"{path} holds {len(rows)} of the ticks {plan.first_tick} to {plan.end_tick}")
            yield ClipEvidence(plan=plan, face=stored_face(rows), speech_prob=_speech_heard(kept[1], ticks, plan))


def _speech_heard(rows: pa.Table, ticks: Int64Array, plan: ClipPlan) -> Float32Array | None:
    """Return (N,) probability of speech in the sound of a clip, 0 on ticks without a row; None without audio.

    Args:
        rows: of `frames`, with all ticks of its sound that have one.
        ticks: (R,) their ticks.
        plan: of the clip.
    """
    probabilities = rows["speech_prob"]
    if probabilities.null_count:
        return None
    inside = (ticks >= plan.heard.first_tick) & (ticks < plan.heard.end_tick)
    heard = np.zeros(plan.n_ticks, dtype=np.float32)
    heard[ticks[inside] - plan.heard.first_tick] = probabilities.to_numpy()[inside]
    return heard


def unrendered(files: VideoFiles, slices: Sequence[Slice]) -> list[Slice]:
    """Return the slices whose clips are not written yet."""
    return [piece for piece in slices if not files.step(piece.window, ".parquet").exists()]


def write_slice(
    files: VideoFiles, piece: Slice, clips: Sequence[RenderedClip], settings: CurationSettings, render_s: float
) -> None:
    """Write the clips of a slice into the folder of windows: their media, then the rows that point into them.

    Raises:
        OSError: the dataset cannot be written.
    """
    tar = files.step(piece.window, ".tar")
    with StagedFiles() as staged:
        with staged.replacing(tar) as stream:
            rows = write_clips(stream, files, clips, settings, f"{WINDOWS}/{tar.name}")
        staged.next_stage()
        with staged.replacing(tar.with_suffix(".parquet")) as stream:
            write_packed(stream, CLIPS, [rows], {_RENDER_S: str(render_s)})
        require_lease(files.dataset)


def gather(files: VideoFiles, slices: Sequence[Slice], decided: VideoRecord) -> VideoRecord:
    """Join the slices of a video into its files of the dataset, and return its record.

    These are the files that `curated_video.write_video_files` would write for clips that are rendered in one go.

    Args:
        files: of the video.
        slices: all slices, in order; each is written.
        decided: its record, without the time that rendering took.

    Raises:
        DatasetError, OSError: a file cannot be read or written.
    """
    paths = [files.step(piece.window, ".parquet") for piece in slices]
    with StagedFiles() as staged:
        if paths:
            media_rows = (row for path in paths for row in read_parquet(path, MEDIA_COLUMNS).to_pylist())
            with staged.replacing(files.dataset / files.media) as stream:
                shard = Shard(files.media, copy_media(files.dataset, media_rows, stream))
            staged.next_stage()
            with staged.replacing(files.rows(CLIPS)) as stream:
                write_packed(stream, CLIPS, (moved(read_parquet(path), shard) for path in paths), {})
        for table in (FRAMES, SPANS):
            with files.waiting_rows(table).open("rb") as written, staged.replacing(files.rows(table)) as stream:
                shutil.copyfileobj(written, stream)
        require_lease(files.dataset)
    return decided.model_copy(update={"render_s": sum(map(_render_s, paths))})


def _render_s(path: Path) -> float:
    with open_parquet(path) as file:
        footer: Mapping[bytes, bytes] = file.metadata.metadata
        return float(footer[_RENDER_S.encode()])
