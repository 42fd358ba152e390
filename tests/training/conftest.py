import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from helpers.made_videos import counted_picture
from helpers.small_disk import mounted
from torch import Tensor

from curation.media.encode import encode_flac, encode_mp4
from curation.media.settings import MediaSettings
from manifests.files.media import sha256_of
from manifests.files.tables import write_parquet
from manifests.files.tar import write_tar
from manifests.landmarks import landmark_scheme
from manifests.record import DatasetRecord, describe_tables, write_dataset
from manifests.schema.arrow_arrays import array_column
from manifests.schema.clips import CLIPS
from manifests.schema.columns import SCHEMA_VERSION
from manifests.totals import totals_of
from models.vae.landmark_image import LandmarkImageConfig, LandmarkRenderer

MEDIUM = MediaSettings(encode_preset="medium")
"""How clips of these tests are encoded, whatever the default is: figures of trainings depend on every pixel."""

FACE_PX = 32


@dataclass(frozen=True)
class FaceBatch:
    """Two frames i and j of each of B people: the same colours, independent motion."""

    image_i_B3HW: Tensor
    image_j_B3HW: Tensor
    landmarks_i_B3HW: Tensor
    """Pictures of the landmarks."""
    landmarks_j_B3HW: Tensor
    colours_B6: Tensor
    """Skin and background."""
    motion_i_B3: Tensor
    motion_j_B3: Tensor
    """Shift of the face in x and y, and how far the mouth is open."""


class ProceduralFaces:
    """Drawn faces of 16 people in 32x32 pixels; people differ in colours alone, frames in shift and mouth alone."""

    def __init__(self) -> None:
        bright_face_dark_wall = torch.tensor([0.6, 0.3, 0.1, -0.5, -0.4, -0.1])
        spread = torch.rand(16, 6, generator=torch.Generator().manual_seed(1)) * 0.8 - 0.4
        self.colours_P6 = bright_face_dark_wall + spread
        self._renderer = LandmarkRenderer(LandmarkImageConfig(scheme="ibug68", radius_px=6.0, image_px=FACE_PX))

    def pairs(self, n: int, seed: int) -> FaceBatch:
        """Draw n people with two frames each."""
        random = torch.Generator().manual_seed(seed)
        colours_B6 = self.colours_P6[torch.randint(16, (n,), generator=random)]
        low, high = torch.tensor([-5.0, -4.0, 0.0]), torch.tensor([5.0, 4.0, 1.0])
        motion_i_B3, motion_j_B3 = (low + (high - low) * torch.rand(n, 3, generator=random) for _ in range(2))
        return FaceBatch(
            self.image(colours_B6, motion_i_B3),
            self.image(colours_B6, motion_j_B3),
            self.landmark_image(motion_i_B3),
            self.landmark_image(motion_j_B3),
            colours_B6,
            motion_i_B3,
            motion_j_B3,
        )

    def image(self, colours_B6: Tensor, motion_B3: Tensor) -> Tensor:
        """(B, 3, H, W) in -1 to 1."""
        picture = colours_B6[:, 3:, None, None].expand(-1, -1, FACE_PX, FACE_PX)
        picture = self._paint(picture, colours_B6[:, :3], motion_B3, (0.0, 0.0), (9.0, 11.0))
        dark = torch.full_like(colours_B6[:, :3], -0.9)
        for side in (-1.0, 1.0):
            picture = self._paint(picture, dark, motion_B3, (side * 3.5, -3.0), (1.6, 1.1))
        return self._paint(picture, dark, motion_B3, (0.0, 5.0), (3.5, self.mouth_height_px(motion_B3)))

    @staticmethod
    def mouth_height_px(motion_B3: Tensor) -> Tensor:
        """(B, 1, 1) half of the height."""
        return (0.6 + 2.4 * motion_B3[:, 2])[:, None, None]

    @staticmethod
    def _paint(
        picture: Tensor,
        colour_B3: Tensor,
        motion_B3: Tensor,
        centre: tuple[float, float],
        radius: tuple[float, float | Tensor],
    ) -> Tensor:
        """Paint an ellipse with soft edges at `centre`, px from the middle of the face."""
        grid = torch.arange(FACE_PX) + 0.5
        x = grid[None, None, :] - 16.0 - centre[0] - motion_B3[:, 0, None, None]
        y = grid[None, :, None] - 16.0 - centre[1] - motion_B3[:, 1, None, None]
        from_centre = torch.sqrt((x / radius[0]) ** 2 + (y / radius[1]) ** 2 + 1e-6)
        cover = torch.sigmoid(10.0 * (1.0 - from_centre))[:, None]
        return cover * colour_B3[:, :, None, None] + (1.0 - cover) * picture

    def landmark_image(self, motion_B3: Tensor) -> Tensor:
        """(B, 3, H, W) in -1 to 1, of the 68 points."""
        mouth_px_B1 = self.mouth_height_px(motion_B3)[:, 0]
        one_B1, turn = torch.ones_like(mouth_px_B1), math.pi
        parts = [
            self._arc(17, (0.0, 0.0), 9.0, 11.0 * one_B1, (turn, 0.0)),  # jaw, over the chin
            *(self._arc(5, (x, -5.5), 2.0, 0.5 * one_B1, (-turn, 0.0)) for x in (-3.5, 3.5)),  # brows
            self._arc(9, (0.0, 0.0), 1.0, 2.0 * one_B1, (turn, 0.0)),  # nose
            *(self._arc(6, (x, -3.0), 1.6, 1.1 * one_B1, (turn, -turn * 2 / 3)) for x in (-3.5, 3.5)),  # eyes
            self._arc(12, (0.0, 5.0), 3.5, mouth_px_B1, (turn, -turn * 5 / 6)),  # lips
            self._arc(8, (0.0, 5.0), 2.8, 0.8 * mouth_px_B1, (turn, -turn * 3 / 4)),
        ]
        points_B68_2 = torch.cat(parts, dim=1) + motion_B3[:, None, :2] + 16.0
        return self._renderer(points_B68_2, torch.ones(points_B68_2.shape[:2], dtype=torch.bool))

    @staticmethod
    def _arc(
        n: int, centre: tuple[float, float], width_px: float, height_px_B1: Tensor, angles: tuple[float, float]
    ) -> Tensor:
        """(B, n, 2) points on an ellipse, px from the middle of the face, from one angle to another."""
        angle_N = torch.linspace(*angles, n)
        y_BN = centre[1] + height_px_B1 * angle_N.sin()
        return torch.stack([(centre[0] + width_px * angle_N.cos()).expand_as(y_BN), y_BN], dim=-1)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Networks as small as those of the tests are faster on one thread, and two test processes share two cores."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def procedural_faces() -> ProceduralFaces:
    return ProceduralFaces()


@dataclass(frozen=True, kw_only=True)
class MadeClip:
    """What a clip of a dataset made by hand is; its frames, arrays and names follow from it."""

    video: str
    first: int = 0
    """Tick of the video."""
    n_frames: int
    tier: str = "diffusion"
    split: str = "train"
    source: str = "one"
    scheme: str = "ibug68"
    encoder: str | None = "made"
    snr_db: float = 20.0
    size_px: int = 64
    person: str | None = None
    """None: the video's name is that of its speaker, too."""
    click: int | None = None
    """Frame in whose middle the sound has a click; None: it has no sound."""

    @property
    def clip_id(self) -> str:
        return f"{self.video}-{self.first:07d}-{self.first + self.n_frames - 1:07d}"


def made_row(clip: MadeClip) -> tuple[dict[str, object], bytes]:
    """Return manifest row and video of a clip: frame k shows `counted_picture(k)`, all of its arrays begin with k."""
    size_px = clip.size_px
    k = np.arange(clip.n_frames, dtype=np.float32)
    n_points = landmark_scheme(clip.scheme).n_points
    speech = clip.tier == "diffusion" and clip.encoder is not None
    row: dict[str, object] = {
        "clip_id": clip.clip_id,
        "video_id": clip.video,
        "source": clip.source,
        "path": f"/videos/{clip.video}.mp4",
        "speaker_id": clip.person or clip.video,
        "tier": clip.tier,
        "split": clip.split,
        "start_s": clip.first / 25,
        "end_s": (clip.first + clip.n_frames) / 25,
        "n_frames": clip.n_frames,
        "fps": 25.0,
        "crop_x0": 0.0,
        "crop_y0": 0.0,
        "crop_size": 256.0,
        "landmarks": np.broadcast_to((k * size_px / 512)[:, None, None], (clip.n_frames, n_points, 2)).copy(),
        "landmark_scheme": clip.scheme,
        "pose_deg": np.stack([k, -k, 0 * k], axis=1),
        "pose_method": "made",
        "speech_features": np.stack([k, 0 * k + 1, 0 * k, 0 * k], axis=1).astype(np.float16) if speech else None,
        "speech_encoder": clip.encoder if speech else None,
        "snr_db": clip.snr_db,
        "media": f"media/{clip.video}.tar",
    }
    return row, encode_mp4(
        [counted_picture(number, size_px, size_px) for number in range(clip.n_frames)], size_px, MEDIUM
    )


def _of(video: str, clips: Sequence[MadeClip]) -> list[MadeClip]:
    return [clip for clip in clips if clip.video == video]


def clicking(clip: MadeClip) -> bytes:
    """Return the sound of a clip: silence with a click of 2 ms in the middle of frame `click`."""
    samples = np.zeros(640 * clip.n_frames, np.float32)
    if clip.click is not None:
        start = 640 * clip.click + 304
        samples[start : start + 32] = 0.9
    return encode_flac(samples)


def make_clips(dataset: Path, clips: Sequence[MadeClip], clip_px: int | None = None) -> Path:
    """Write a dataset that holds these clips and nothing else; one part per video.

    Its record says that clips have `clip_px` pixels; None: as many as the first one has.
    """
    clip_px = clip_px or next((clip.size_px for clip in clips), 64)
    for video in sorted({clip.video for clip in clips}):
        rows, mp4s = zip(*(made_row(clip) for clip in _of(video, clips)), strict=True)
        members = [(f"{row['clip_id']}.mp4", mp4) for row, mp4 in zip(rows, mp4s, strict=True)]
        sounds = [(row, clicking(clip)) for row, clip in zip(rows, _of(video, clips), strict=True) if clip.click]
        members += [(f"{row['clip_id']}.flac", flac) for row, flac in sounds]
        ranges = write_tar(dataset / "media" / f"{video}.tar", members)
        for row, mp4, where in zip(rows, mp4s, ranges, strict=False):
            row |= {"mp4_offset": where.offset, "mp4_size": where.size, "mp4_sha256": sha256_of(mp4)}
        for (row, flac), where in zip(sounds, ranges[len(rows) :], strict=True):
            row |= {"flac_offset": where.offset, "flac_size": where.size, "flac_sha256": sha256_of(flac)}
        columns = {}
        for column in CLIPS.columns:
            values = [row.get(column.name) for row in rows]
            arrays = any(isinstance(value, np.ndarray) for value in values)
            columns[column.name] = array_column(values, column.type) if arrays else pa.array(values, column.type)
        write_parquet(dataset / "clips" / f"{video}.parquet", pa.table(columns), CLIPS)
    record = DatasetRecord(
        schema_version=SCHEMA_VERSION,
        software="gaia-avatar",
        software_version="0.1.0",
        preset="embedded",
        config={"crop": {"size_px": clip_px}},
        weights=(),
        tables=describe_tables(),
        totals=totals_of(dataset),
    )
    write_dataset(dataset, record)
    return dataset


MADE_CLIPS = (
    MadeClip(video="a", n_frames=300),
    MadeClip(video="a", first=310, n_frames=100, tier="vae"),
    MadeClip(video="b", n_frames=260, source="two", snr_db=5.0),
    MadeClip(video="c", n_frames=130, split="val"),
    MadeClip(video="d", n_frames=80),
    MadeClip(video="e", n_frames=140, split="test", source="two"),
)


@pytest.fixture(scope="session", name="make_clips")
def _make_clips() -> Callable[..., Path]:
    """Writes a dataset: `make_clips(folder, {"video": "a", "n_frames": 80}, ...)`, fields as of `MadeClip`."""

    def make(dataset: Path, *clips: Mapping[str, Any], clip_px: int | None = None) -> Path:
        return make_clips(dataset, [MadeClip(**clip) for clip in clips], clip_px)

    return make


@pytest.fixture(scope="session")
def made_clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of six clips of 64x64 px, `MADE_CLIPS`; read it, never write to it."""
    return make_clips(tmp_path_factory.mktemp("clips") / "dataset", MADE_CLIPS)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that a test can fill up."""
    with mounted(tmp_path / "disk") as folder:
        yield folder
