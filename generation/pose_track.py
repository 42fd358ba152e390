"""Head poses that are asked for, frame by frame (GAIA appendix D.1): of a table, a formula, a video or the portrait."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from math import isfinite
from pathlib import Path
from typing import Literal

import numpy as np

from foundation.array_types import Float32Array, Float64Array
from foundation.storage.regular_files import open_regular
from foundation.text import count_text
from generation.pose_expression import ANGLES, PoseFormulaError, formula_angles
from generation.trained_run import GenerationError
from manifests.timeline import TICK_RATE_HZ

__all__ = ["PoseChoice", "asked_pose"]

PoseKind = Literal["predict", "still", "formula", "table", "video"]

_EXAMPLE = "yaw=0,pitch=5*sin(2pi t/4)"

_TABLES = (".csv", ".parquet")

_LARGEST_BYTES = 16 << 20
"""Half an hour of poses, each number written with all its digits, has 3 MB."""

_MOST_DEG = 90.0


@dataclass(frozen=True, kw_only=True, slots=True)
class PoseChoice:
    """Head poses by which a video is made."""

    source: str = "predict"
    """`predict`: by the network, from speech; `still`: that of the portrait; formulas such as ``yaw=10*sin(2pi t/4)``;
    a CSV or Parquet file with the columns pitch, yaw and roll, degrees; or a video, whose poses are measured."""
    amplitude: float = 1.0
    """Factor of the deviations from the mean of the poses."""
    offset: str = ""
    """Formulas of degrees that are added; empty: none."""

    def __post_init__(self) -> None:
        if not isfinite(self.amplitude):
            raise GenerationError(f"--pose-amplitude is {self.amplitude}; give a number, such as 0.5")
        if self.kind == "predict" and (self.amplitude != 1.0 or self.offset):
            raise GenerationError(
                "--pose-amplitude and --pose-offset change the poses of --pose; give it a file, a video, still or a "
                f'formula such as "{_EXAMPLE}"'
            )

    @property
    def kind(self) -> PoseKind:
        """What `source` is; a file of a name with = in it is a file."""
        if self.source == "predict":
            return "predict"
        if self.source == "still":
            return "still"
        if Path(self.source).suffix.lower() in _TABLES:
            return "table"
        return "formula" if "=" in self.source and not Path(self.source).exists() else "video"


def asked_pose(
    choice: PoseChoice,
    n_frames: int,
    *,
    still_deg: Float32Array,
    of_video: Callable[[Path, int], Float32Array],
) -> Float32Array | None:
    """Return the (N, 3) poses pitch, yaw and roll of N frames, degrees; None: the network predicts them.

    Args:
        choice: says which.
        n_frames: N.
        still_deg: (3,) pose of the portrait.
        of_video: returns the poses of the first N frames of a video.

    Raises:
        GenerationError: a file or a formula cannot be used, or a pose is turned by more than 90 degrees.
    """
    match choice.kind:
        case "predict":
            return None
        case "still":
            track_deg = np.tile(still_deg.astype(np.float64), (n_frames, 1))
        case "formula":
            track_deg = _by_formula("--pose", choice.source, n_frames)
        case "table":
            track_deg = _of_table(Path(choice.source), n_frames)
        case "video":
            track_deg = of_video(Path(choice.source), n_frames).astype(np.float64)
    mean_deg = track_deg.mean(axis=0)
    track_deg = mean_deg + choice.amplitude * (track_deg - mean_deg)
    if choice.offset:
        track_deg = track_deg + _by_formula("--pose-offset", choice.offset, n_frames)
    _require_possible(track_deg)
    return np.asarray(track_deg, np.float32)


def _by_formula(option: str, text: str, n_frames: int) -> Float64Array:
    try:
        return formula_angles(text, np.arange(n_frames) / float(TICK_RATE_HZ))
    except PoseFormulaError as error:
        raise GenerationError(f'{option} "{text}": {error}; give formulas such as "{_EXAMPLE}"') from error


def _require_possible(track_deg: Float64Array) -> None:
    beyond = np.abs(track_deg) > _MOST_DEG
    if beyond.any():
        frame, angle = (int(index) for index in np.argwhere(beyond)[0])
        raise GenerationError(
            f"--pose: {ANGLES[angle]} is {track_deg[frame, angle]:.0f} degrees in frame {frame}, counted from 0; give "
            f"at most {_MOST_DEG:.0f}, and less than that for faces as those of the training data"
        )


def _of_table(path: Path, n_frames: int) -> Float64Array:
    """Return the (N, 3) rows of a table.

    Raises:
        GenerationError: it cannot be read, has other columns, or not N rows of numbers.
    """
    try:
        with open_regular(path) as file:
            content = file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        raise GenerationError(f"--pose {path}: cannot be read: {error}") from error
    if len(content) > _LARGEST_BYTES:
        raise GenerationError(f"--pose {path}: is larger than {_LARGEST_BYTES >> 20} MiB; give a row for each frame")
    columns = (_csv_columns if path.suffix.lower() == ".csv" else _parquet_columns)(path, content)
    n_rows = len(columns[0])
    if n_rows != n_frames:
        raise GenerationError(
            f"--pose {path}: has {count_text(n_rows, 'row')}, but the speech has {count_text(n_frames, 'frame')}; give "
            f"a row for each of them, {TICK_RATE_HZ} a second"
        )
    track_deg = np.stack(columns, axis=1)
    if not np.isfinite(track_deg).all():
        row = int(np.argmin(np.isfinite(track_deg).all(axis=1)))
        raise GenerationError(f"--pose {path}: row {row + 1} holds an angle that is no finite number; give degrees")
    return track_deg


def _require_columns(path: Path, names: Sequence[str]) -> None:
    if not set(ANGLES) <= set(names):
        found = ", ".join(names) or "none"
        raise GenerationError(f"--pose {path}: has the columns {found:.200}; give pitch, yaw and roll, in degrees")


def _csv_columns(path: Path, content: bytes) -> list[Float64Array]:
    """Return pitch, yaw and roll of a CSV file with a row of names."""
    rows: list[list[float]] = []
    try:
        lines = list(csv.reader(TextIOWrapper(BytesIO(content), encoding="utf-8-sig", newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise GenerationError(f"--pose {path}: cannot be read as CSV: {error}") from error
    names = [name.strip().lower() for name in lines[0]] if lines else []
    _require_columns(path, names)
    places = [names.index(angle) for angle in ANGLES]
    try:
        rows.extend([float(cells[place]) for place in places] for cells in lines[1:] if cells)
    except (ValueError, IndexError) as error:
        raise GenerationError(
            f"--pose {path}: row {len(rows) + 1} does not hold a number for each of pitch, yaw and roll; give degrees"
        ) from error
    return list(np.array(rows, np.float64).reshape(-1, len(ANGLES)).T)


def _parquet_columns(path: Path, content: bytes) -> list[Float64Array]:
    """Return pitch, yaw and roll of a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(BytesIO(content))
        _require_columns(path, file.schema_arrow.names)
        table = file.read(columns=list(ANGLES))
        return [table[angle].cast(pa.float64()).to_numpy() for angle in ANGLES]
    except (pa.ArrowException, OSError) as error:
        raise GenerationError(f"--pose {path}: cannot be read as Parquet of numbers: {error}") from error
