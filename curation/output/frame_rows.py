"""Evidence as rows of the table `frames`, and back, so that other rules can be applied without measuring again."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from curation.decision.decide import Decision
from curation.decision.judgement import recording_starts
from curation.decision.settings import RulesSettings
from curation.decision.tracks import parted_faces
from curation.evidence.joining import chosen_faces, scatter_rows
from curation.evidence.measures import Evidence, Faces
from curation.rules.frontal import frontal_angle_deg
from foundation.array_types import BoolArray, Float32Array, Int64Array
from foundation.text import count_text
from manifests.errors import DatasetError
from manifests.landmarks import LandmarkScheme
from manifests.schema.arrow_arrays import block_column, rows_column
from manifests.schema.face_measures import FACE_MEASURES, FaceMeasure, FaceMeasures, Measured
from manifests.schema.frames import FACE_COLUMNS, FRAMES
from manifests.timeline import TICK_RATE_HZ

__all__ = ["GRID_COLUMNS", "evidence_of_frames", "frames_table", "grid_evidence", "stored_face"]

_ON_GRID = tuple(one for one in FACE_MEASURES if one.field in ("box_px", "score", "key_points_px"))
"""Measures of a face that tell whether a clip can lie around a grid tick."""

GRID_COLUMNS = (
    "video_id", "tick", "measured", "grid", "interpolated", "speech_prob", "other_faces",
    *(one.column.name for one in _ON_GRID),
)  # fmt: skip
"""Columns that `grid_evidence` reads."""


def frames_table(
    video_id: str, evidence: Evidence, decision: Decision, scheme: LandmarkScheme, first_tick: int = 0
) -> pa.Table:
    """Return one row per tick: the main face in the face columns, bridged misses interpolated, the others in a list.

    Ticks that are trimmed have no row, because nothing was measured there.

    Args:
        video_id: the video.
        evidence: of the video, or of a range of it.
        decision: likewise; its spans and clips are not used.
        scheme: of the landmarks.
        first_tick: first tick of the range.
    """
    n, main, faces = len(evidence), decision.main, evidence.faces
    has_main = main.face >= 0
    shown = has_main | main.bridged
    alone = np.zeros(n, dtype=np.bool_) if evidence.measured is None else ~evidence.measured
    columns: dict[str, pa.Array] = {
        "video_id": pa.array([video_id] * n, pa.string()),
        "tick": pa.array(np.arange(first_tick, first_tick + n, dtype=np.int32)),
        "time_s": pa.array(np.arange(first_tick, first_tick + n) / float(TICK_RATE_HZ)),
        "decoded": pa.array(evidence.decoded),
        "n_faces": pa.array(np.bincount(faces.tick, minlength=n).astype(np.int16)),
        "measured": _flag_column(evidence.measured, n),
        "grid": _flag_column(evidence.grid, n),
        "track_id": pa.array(main.track_id.astype(np.int32), mask=~shown | (main.track_id < 0)),
        "interpolated": pa.array(main.bridged),
        "landmark_scheme": pa.array([scheme.name if is_shown else None for is_shown in shown], pa.string()),
        "cut_score": pa.array(evidence.cut_score),
        "speech_prob": _audio_column(evidence.speech_prob, n),
        "loudness_dbfs": _audio_column(evidence.loudness_dbfs, n),
    }
    face = decision.face
    for measure in FACE_MEASURES:
        columns[measure.column.name] = _measure_column(measure, getattr(face, measure.field), shown, alone)
    columns["frontal_angle_deg"] = pa.array(frontal_angle_deg(face.key_points_px), mask=~shown)

    is_main = np.zeros(len(faces), dtype=np.bool_)
    is_main[main.face[has_main]] = True
    others = np.flatnonzero(~is_main)
    columns["other_faces"] = (
        rows_column(_other_faces(faces, decision.track, others, alone), np.bincount(faces.tick[others], minlength=n))
        if len(others)
        else pa.array([[]] * n, FRAMES.column("other_faces").type)
    )
    schema = FRAMES.arrow_schema()
    table = pa.table([columns[name].cast(schema.field(name).type) for name in schema.names], schema=schema)
    return table if evidence.trimmed is None else table.filter(pa.array(~evidence.trimmed))


def evidence_of_frames(table: pa.Table, n_ticks: int, rules: RulesSettings | None = None) -> Evidence:
    """Return the evidence that `frames_table` wrote of a video of `n_ticks`; ticks without a row are trimmed.

    Interpolated faces are left out, for they were not measured. Where descriptors have been removed, what they said
    within the video follows from the tracks that were written.

    Args:
        table: the rows.
        n_ticks: length of the video, ticks.
        rules: settings with which the written tracks were linked; None: what removed descriptors said is not needed.

    Raises:
        DatasetError: rows are not in the order of their ticks, or not of these ticks, or hold arrays of other shapes.
    """
    ticks = table["tick"].to_numpy().astype(np.int64)
    if np.any(np.diff(ticks) <= 0) or (len(ticks) and not 0 <= ticks[0] <= ticks[-1] < n_ticks):
        raise DatasetError(
            f"table frames does not hold {count_text(n_ticks, 'tick')} of the video, each of them once and in order"
        )
    try:
        evidence, track = _evidence_of_rows(table)
    except (pa.ArrowException, ValueError, IndexError) as error:
        raise DatasetError(f"table frames holds arrays that cannot be joined: {error}") from error
    evidence = scatter_rows(evidence, ticks, n_ticks)
    faces = evidence.faces
    if rules is None or not len(faces) or not np.isnan(faces.descriptor).all():
        return evidence
    tracked = track >= 0
    parted = np.zeros(len(faces), dtype=np.bool_)
    parted[tracked] = parted_faces(
        chosen_faces(faces, tracked),
        track[tracked],
        recording_starts(evidence, rules),
        rules.no_face.bridge_ticks,
        rules.tracks,
    )
    return replace(evidence, faces=replace(faces, parted=parted))


def grid_evidence(table: pa.Table, n_ticks: int) -> Evidence:
    """Return what grid ticks show of a video of `n_ticks`, and which ticks were measured; all else is left out.

    Args:
        table: rows of a dataset that knows its grid, with `GRID_COLUMNS`.
        n_ticks: length of the video, ticks.

    Raises:
        DatasetError: rows hold arrays of other shapes.
    """
    ticks, grid = table["tick"].to_numpy().astype(np.int64), _flags(table["grid"])
    grid = np.zeros(len(table), dtype=np.bool_) if grid is None else grid
    try:
        faces = _seen_faces(table.filter(pa.array(grid)), _ON_GRID)[0]
    except (pa.ArrowException, ValueError, IndexError) as error:
        raise DatasetError(f"table frames holds arrays that cannot be joined: {error}") from error
    evidence = Evidence(
        decoded=np.ones(len(table), dtype=np.bool_),
        faces=replace(faces, tick=np.flatnonzero(grid)[faces.tick]),
        cut_score=np.zeros(len(table), dtype=np.float32),
        speech_prob=None if table["speech_prob"].null_count else _block(table["speech_prob"]),
        loudness_dbfs=None,
        grid=grid,
        measured=_flags(table["measured"]),
    )
    return scatter_rows(evidence, ticks, n_ticks)


def stored_face(table: pa.Table) -> FaceMeasures:
    """Return the main face of N rows that `frames_table` wrote, interpolated where a miss was bridged.

    Every row has one. Descriptors that are all missing are (N, 0), because their length is not known.
    """
    columns: dict[str, Any] = {}
    for measure in FACE_MEASURES:
        column = table[measure.column.name]
        missing = column.null_count == len(column) if measure.sparse else column.null_count > 0
        absent = measure.optional and missing
        columns[measure.field] = None if absent else _measured(measure, _block(column))
    return FaceMeasures(**columns)


def _evidence_of_rows(table: pa.Table) -> tuple[Evidence, Int64Array]:
    """Return the evidence of rows that follow one another, and the (F,) tracks of its faces."""
    faces, main, others, order = _seen_faces(table, FACE_MEASURES)
    tracks = _joined(_block(main["track_id"]), _block(others["track_id"]))[order]
    track = np.where(np.isnan(tracks), -1, tracks).astype(np.int64)
    evidence = Evidence(
        decoded=_numpy(table["decoded"]),
        faces=faces,
        cut_score=_block(table["cut_score"]),
        speech_prob=None if table["speech_prob"].null_count else _block(table["speech_prob"]),
        loudness_dbfs=None if table["loudness_dbfs"].null_count else _block(table["loudness_dbfs"]),
        grid=_flags(table["grid"]),
        measured=_flags(table["measured"]),
    )
    return evidence, track


def _seen_faces(table: pa.Table, measures: Sequence[FaceMeasure]) -> tuple[Faces, pa.Table, pa.Table, Int64Array]:
    """Return the faces of rows, of which these measures are read.

    Returns:
        the faces, the rows with a main face that was seen, those of the other faces, and the order in which main faces
        followed by the others are those of the evidence.
    """
    found: BoolArray = _numpy(table["box"].is_valid()) & ~_numpy(table["interpolated"])
    main = table.filter(pa.array(found))
    lists = table["other_faces"].combine_chunks()
    counts = np.asarray(lists.value_lengths(), dtype=np.int64)
    structs = lists.flatten()
    others = pa.table({column.name: structs.field(column.name) for column in FACE_COLUMNS})
    tick = np.concatenate([np.flatnonzero(found), np.repeat(np.arange(len(table)), counts)])
    box = _joined(_block(main["box"]), _block(others["box"])).reshape(-1, 4)
    order = np.lexsort((box[:, 0] - box[:, 2], tick))
    values: dict[str, Any] = {one.field: one.unmeasured(len(tick)) for one in FACE_MEASURES}
    for measure in measures:
        columns = main[measure.column.name], others[measure.column.name]
        present = _is_present(measure, *columns)
        values[measure.field] = _measured(measure, _joined(*map(_block, columns))[order]) if present else None
    return Faces(tick=tick[order], **values), main, others, order


def _is_present(measure: FaceMeasure, main: pa.ChunkedArray, others: pa.ChunkedArray) -> bool:
    """Return whether a measure was taken, given its columns of the main face, where it was seen, and of the others."""
    if measure.sparse:
        return bool(main.null_count < len(main) or others.null_count < len(others))
    return not measure.optional or bool(len(main) and main.null_count == 0)


def _flag_column(flags: BoolArray | None, n: int) -> pa.Array:
    return pa.nulls(n, pa.bool_()) if flags is None else pa.array(flags)


def _flags(column: pa.ChunkedArray) -> BoolArray | None:
    """Return flags; None where some are not known."""
    return None if column.null_count else _numpy(column)


def _audio_column(values: Float32Array | None, n: int) -> pa.Array:
    return pa.nulls(n, pa.float32()) if values is None else pa.array(values)


def _measure_column(measure: FaceMeasure, values: Measured | None, shown: BoolArray, alone: BoolArray) -> pa.Array:
    """Return rows of a measure, null without a face.

    An array is null, too, where it was not measured, and so is each value of a sparse measure, and of any measure on
    ticks that stand `alone`: of a face there, what takes its neighbours was not measured.
    """
    data_type = measure.column.type
    if values is None:
        return pa.nulls(len(shown), data_type)
    if not measure.is_array:
        return pa.array(values, mask=~shown | (np.isnan(values) & (alone | measure.sparse)))
    missing, within = np.isnan(values), tuple(range(1, values.ndim))
    measured = ~(missing.all(axis=within) if measure.sparse else missing.any(axis=within))
    return block_column(values, shown & measured, data_type)


def _measured(measure: FaceMeasure, block: Float32Array) -> Measured:
    """Return a measure as it was before it was written, given its numbers; of flags, a missing one is False."""
    return block > 0 if measure.is_flag else block


def _other_faces(faces: Faces, track: Int64Array, chosen: Int64Array, alone: BoolArray) -> pa.Table:
    shown = np.ones(len(chosen), dtype=np.bool_)
    columns: dict[str, pa.Array] = {
        "track_id": pa.array(track[chosen].astype(np.int32), mask=track[chosen] < 0),
        "frontal_angle_deg": pa.array(frontal_angle_deg(faces.key_points_px[chosen])),
    }
    for measure in FACE_MEASURES:
        values = getattr(faces, measure.field)
        own = None if values is None else values[chosen]
        columns[measure.column.name] = _measure_column(measure, own, shown, alone[faces.tick[chosen]])
    return pa.table(
        [columns[column.name].cast(column.type) for column in FACE_COLUMNS], names=[c.name for c in FACE_COLUMNS]
    )


def _numpy(column: pa.ChunkedArray) -> BoolArray:
    return np.asarray(column.to_numpy(), dtype=np.bool_)


def _block(column: pa.ChunkedArray) -> Float32Array:
    """Return (rows, ...) numbers of a column whose arrays all have one shape; null becomes NaN."""
    array = column.combine_chunks() if column.num_chunks else pa.array([], column.type)
    valid = np.asarray(array.is_valid(), dtype=np.bool_)
    present, shape = array.drop_null(), []
    while pa.types.is_list(present.type) or pa.types.is_fixed_size_list(present.type):
        inner = present.flatten()
        if pa.types.is_fixed_size_list(present.type):
            shape.append(present.type.list_size)
        else:
            shape.append(len(inner) // len(present) if len(present) else 0)
        present = inner
    block = np.full((len(valid), *shape), np.nan, dtype=np.float32)
    block[valid] = present.to_numpy(zero_copy_only=False).astype(np.float32).reshape(int(valid.sum()), *shape)
    return block


def _joined(first: Float32Array, second: Float32Array) -> Float32Array:
    """Concatenate rows; a block without a single value takes the other's shape."""
    shape = first.shape[1:] if np.prod(first.shape[1:]) else second.shape[1:]
    blocks = [
        block if block.shape[1:] == shape else np.full((len(block), *shape), np.nan, dtype=np.float32)
        for block in (first, second)
    ]
    return np.concatenate(blocks)
