"""A long video once its windows are measured: decided as a whole, rendered slice by slice, gathered into its parts.

All that is known of it before it is gathered lies in the folder of the windows, so that any worker can go on with it.
Memory holds what rules need of the whole video, about 3 MB a minute, and of the rest two windows or one slice.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from curation.decision.decide import ClipPlan, Decision
from curation.decision.main_face import main_face
from curation.evidence.joining import rows_of, stitch, stretch_of
from curation.evidence.main_track import MainTrack
from curation.evidence.measures import Evidence, PictureEvidence
from curation.media.memory import give_back_free_pages
from curation.output.clip_rows import clips_table, write_media
from curation.output.frame_rows import frames_table, shown_face
from curation.output.ledger import VideoRecord
from curation.output.video_files import landmarks_of, write_spans
from curation.output.window_files import FOLDER, read_window, window_path
from curation.rendering.render import RenderedClip, ShownClip
from curation.rendering.slices import Slice
from curation.settings import CurationSettings
from curation.sources.entries import SourceVideo
from foundation.storage.arrow import open_parquet, read_parquet
from foundation.storage.staged import StagedFiles
from manifests.packing.rows import write_packed
from manifests.packing.shards import MEDIA_COLUMNS, Shard, copy_media, moved
from manifests.schema.clips import CLIPS
from manifests.schema.columns import Table
from manifests.schema.frames import FRAMES
from manifests.schema.videos import SPANS
from manifests.timeline import Window

__all__ = ["gather", "slice_is_rendered", "stored_clips", "write_decided", "write_slice"]

_HALO_TICKS = 25
"""No bridge reaches further beyond a seam: of its 25 ticks at most, one is on this side, and a sighting follows."""

_RENDER_S = "gaia_render_s"
"""Key in the footer of a slice's rows: seconds that rendering it took."""


def write_decided(
    dataset: Path,
    video_id: str,
    windows: Sequence[Window],
    evidence: Evidence,
    decision: Decision,
    settings: CurationSettings,
) -> None:
    """Write the rows of `frames` and `spans` of a video where its windows lie.

    Args:
        dataset: the folder.
        video_id: the video.
        windows: all of it, in order; their evidence lies there.
        evidence: of the whole video, without landmarks and blendshapes.
        decision: made on it.
        settings: which landmarks there are.

    Raises:
        OSError: the dataset cannot be read or written.
    """
    with StagedFiles() as files:
        pieces = _frames_pieces(dataset, video_id, windows, evidence, decision, settings)
        write_packed(_waiting(dataset, video_id, FRAMES), FRAMES, pieces, {}, files.replacing)
        path = _waiting(dataset, video_id, SPANS)
        write_spans(dataset, video_id, decision, len(evidence), files.replacing, path)


def _frames_pieces(
    dataset: Path,
    video_id: str,
    windows: Sequence[Window],
    evidence: Evidence,
    decision: Decision,
    settings: CurationSettings,
) -> Iterator[pa.Table]:
    """Yield the rows of `frames` window by window; of those beside, what misses bridged across a seam depend on."""
    scheme, faces_before = landmarks_of(settings), evidence.faces.tick.searchsorted
    before: tuple[Window, PictureEvidence] | None = None
    following = read_window(dataset, video_id, windows[0])
    for number, window in enumerate(windows):
        seen, near = following, [] if before is None else [before]
        near.append((window, seen))
        if number + 1 < len(windows):
            after = windows[number + 1]
            following = read_window(dataset, video_id, after)
            near.append(_within(after, following, after.first_tick, after.first_tick + _HALO_TICKS))
        places = [place for place, _ in near]
        main = _main_of(places, decision.main, int(faces_before(places[0].first_tick)))
        face = main_face(stitch([part for _, part in near]).faces, main)
        n_before = 0 if before is None else before[0].n_ticks
        first_face, end_face = (int(faces_before(tick)) for tick in (window.first_tick, window.end_tick))
        own = slice(window.first_tick, window.end_tick)
        yield frames_table(
            video_id,
            Evidence(
                decoded=seen.decoded,
                faces=seen.faces,
                cut_score=evidence.cut_score[own],
                speech_prob=None if evidence.speech_prob is None else evidence.speech_prob[own],
                loudness_dbfs=None if evidence.loudness_dbfs is None else evidence.loudness_dbfs[own],
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
        before = _within(window, seen, window.end_tick - _HALO_TICKS, window.end_tick)
        give_back_free_pages()


def _within(window: Window, seen: PictureEvidence, first_tick: int, end_tick: int) -> tuple[Window, PictureEvidence]:
    """Return the part of a window, and of its evidence, that lies in ticks ``[first_tick, end_tick)`` of the video."""
    part = Window(first_tick=max(first_tick, window.first_tick), end_tick=min(end_tick, window.end_tick))
    first, end = part.first_tick - window.first_tick, part.end_tick - window.first_tick
    return part, stretch_of(seen, first, end)


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
    )


def stored_clips(dataset: Path, video_id: str, plans: Sequence[ClipPlan]) -> Iterator[ShownClip]:
    """Yield what `write_decided` wrote of the ticks of planned clips, in order.

    Raises:
        OSError: it cannot be read.
        ValueError: it does not hold them.
    """
    path = _waiting(dataset, video_id, FRAMES)
    with open_parquet(path) as file:
        column = file.schema_arrow.get_field_index("tick")  # before it, no column has more than one leaf
        groups = [file.metadata.row_group(number).column(column).statistics for number in range(file.num_row_groups)]
        kept: tuple[list[int], pa.Table] | None = None  # most clips lie in the groups of the clip before
        for plan in plans:
            wanted = [n for n, ticks in enumerate(groups) if ticks.min < plan.end_tick and ticks.max >= plan.first_tick]
            if kept is None or kept[0] != wanted:
                kept = (wanted, file.read_row_groups(wanted, use_threads=False))
            ticks = kept[1]["tick"].to_numpy()
            rows = kept[1].filter(pa.array((ticks >= plan.first_tick) & (ticks < plan.end_tick)))
            if len(rows) != plan.n_ticks:
                raise ValueError(f"{path} holds {len(rows)} of the ticks {plan.first_tick} to {plan.end_tick}")
            heard = rows["speech_prob"]
            speech_prob = None if heard.null_count else heard.to_numpy().astype(np.float32)
            yield ShownClip(plan=plan, face=shown_face(rows), speech_prob=speech_prob)


def slice_is_rendered(dataset: Path, video_id: str, piece: Slice) -> bool:
    """Say whether the clips of a slice are written."""
    return _of_slice(dataset, video_id, piece, ".parquet").exists()


def write_slice(
    dataset: Path,
    video: SourceVideo,
    piece: Slice,
    clips: Sequence[RenderedClip],
    settings: CurationSettings,
    render_s: float,
) -> None:
    """Write the clips of a slice where the windows lie: their media, then the rows that point into them.

    Raises:
        OSError: the dataset cannot be written.
    """
    tar = _of_slice(dataset, video.video_id, piece, ".tar")
    with StagedFiles() as files:
        ranges = write_media(tar, video.video_id, clips, files)
        files.next_stage()
        rows = clips_table(video, clips, settings, f"{FOLDER}/{tar.name}", ranges)
        path = _of_slice(dataset, video.video_id, piece, ".parquet")
        write_packed(path, CLIPS, [rows], {_RENDER_S: str(render_s)}, files.replacing)


def gather(dataset: Path, video_id: str, slices: Sequence[Slice], decided: VideoRecord) -> VideoRecord:
    """Put the slices of a video together into its parts of the dataset, and return its record.

    Its files are those that `video_files.write_parts` would write for clips that are rendered in one go.

    Args:
        dataset: the folder.
        video_id: the video.
        slices: all of it, in order; each is written.
        decided: its record, but for what rendering took.

    Raises:
        DatasetError, OSError: a file cannot be read or written.
    """
    paths = [_of_slice(dataset, video_id, piece, ".parquet") for piece in slices]
    with StagedFiles() as files:
        if paths:
            media = f"media/{video_id}.tar"
            of_clips = (row for path in paths for row in read_parquet(path, MEDIA_COLUMNS).to_pylist())
            with files.replacing(dataset / media) as stream:
                shard = Shard(media, copy_media(dataset, of_clips, stream))
            files.next_stage()
            rows = (moved(read_parquet(path), shard) for path in paths)
            write_packed(dataset / CLIPS.name / f"{video_id}.parquet", CLIPS, rows, {}, files.replacing)
        for table in (FRAMES, SPANS):
            part = dataset / table.name / f"{video_id}.parquet"
            with _waiting(dataset, video_id, table).open("rb") as written, files.replacing(part) as stream:
                shutil.copyfileobj(written, stream)
    return decided.model_copy(update={"render_s": sum(map(_render_s, paths))})


def _render_s(path: Path) -> float:
    with open_parquet(path) as file:
        told: Mapping[bytes, bytes] = file.metadata.metadata
        return float(told[_RENDER_S.encode()])


def _waiting(dataset: Path, video_id: str, table: Table) -> Path:
    """Return where the rows of a video are until it is gathered."""
    return dataset / FOLDER / f"{video_id}-{table.name}.parquet"


def _of_slice(dataset: Path, video_id: str, piece: Slice, suffix: str) -> Path:
    """Return where the clips of a slice are until the video is gathered."""
    return window_path(dataset, video_id, piece.window).with_suffix(suffix)
