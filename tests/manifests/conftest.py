"""A small dataset made by hand: what stands in it is written down here, nothing comes from the curation.

Four files: `a.mp4` of 8 s, `b.mp4` of the same content, `broken.mp4`, and `d.mp4` of 2 s without a speaker's name.
Of `a.mp4`, ticks 0 to 99 are a diffusion clip, 100 to 119 are turned away, 120 to 199 are silent, so a vae clip.
"""

import io
import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pytest

from curation.decision.settings import RulesSettings
from curation.output.recorded_rules import rule_records
from manifests.files.media import sha256_of
from manifests.files.tables import write_parquet
from manifests.files.tar import write_tar
from manifests.files.transcript import Transcript, Word
from manifests.record import DatasetRecord, WeightRecord, describe_tables, write_dataset
from manifests.schema.arrow_arrays import array_column
from manifests.schema.clips import CLIPS
from manifests.schema.columns import SCHEMA_VERSION
from manifests.schema.frames import FRAMES
from manifests.schema.tables import TABLES
from manifests.schema.videos import SPANS, VIDEOS
from manifests.totals import totals_of

A = "00000000000000aa"
BROKEN = "00000000000000cc"
D = "00000000000000dd"
CLIP_1 = f"{A}-0000000-0000099"
CLIP_2 = f"{A}-0000120-0000199"


def _mp4(n_frames: int, side: int = 256) -> bytes:
    sink = io.BytesIO()
    with av.open(sink, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = side
        stream.pix_fmt = "yuv420p"
        for k in range(n_frames):
            frame = av.VideoFrame.from_ndarray(np.full((side, side, 3), k, dtype=np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return sink.getvalue()


def _flac(n_samples: int) -> bytes:
    sink = io.BytesIO()
    with av.open(sink, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=16_000, layout="mono", format="s16")
        tone = (np.sin(np.arange(n_samples) / 20) * 8000).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
        frame.sample_rate = 16_000
        frame.time_base = Fraction(1, 16_000)
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return sink.getvalue()


def table_of(name: str, rows: list[dict[str, object]]) -> pa.Table:
    """Rows as a table; a column that no row names is null. Arrays are NumPy's."""
    columns = {}
    for column in TABLES[name].columns:
        values = [row.get(column.name) for row in rows]
        arrays = any(isinstance(value, np.ndarray) for value in values)
        columns[column.name] = array_column(values, column.type) if arrays else pa.array(values, column.type)
    return pa.table(columns)


def video(**fields: object) -> dict[str, object]:
    kept = {"kept_diffusion_s": 0.0, "kept_vae_s": 0.0, "n_clips": 0}
    return {"source": "one", "status": "ok", "trims": [], "size_bytes": 9, **kept, **fields}


def spans_of(video_id: str, tier: str, *bounds: tuple[int, int, str, str | None]) -> list[dict[str, object]]:
    deciding = {"frontal": (23.5, 15.0), "silence": (3.2, 0.6), "too_short": (2.0, 3.0)}
    return [
        {
            "video_id": video_id,
            "start_s": first / 25,
            "end_s": end / 25,
            "tier": tier,
            "outcome": outcome,
            "value": deciding.get(outcome, (None, None))[0],
            "limit": deciding.get(outcome, (None, None))[1],
            "failed": [] if outcome == "kept" else [outcome],
            "clip_id": clip_id,
        }
        for first, end, outcome, clip_id in bounds
    ]


def frames_of(video_id: str, n: int) -> list[dict[str, object]]:
    face = {
        "n_faces": 1,
        "track_id": 0,
        "box": np.array([10, 20, 110, 140], dtype=np.float32),
        "key_points": np.full((9, 2), 50, dtype=np.float32),
        "landmark_scheme": "ibug68",
        "landmarks": np.full((68, 2), 60, dtype=np.float32),
    }
    return [
        {
            **face,
            "video_id": video_id,
            "tick": k,
            "time_s": k / 25,
            "decoded": True,
            "interpolated": False,
            "frontal_angle_deg": 180.0 - k,
        }
        for k in range(n)
    ]


SAID = Transcript(
    words=(Word("Good", 0.2, 0.4, 0.9), Word("morning.", 0.4, 0.9, 0.75)),
    text="Good morning.",
    model="made",
    language=None,
    language_confidence=None,
)


def clip(clip_id: str, tier: str, first: int, n: int, **media: object) -> dict[str, object]:
    points = np.linspace(40, 216, n * 68 * 2, dtype=np.float32).reshape(n, 68, 2)
    return {
        "clip_id": clip_id,
        "video_id": A,
        "source": "one",
        "path": "/videos/a.mp4",
        "speaker_id": "anna",
        "tier": tier,
        "split": "train",
        "start_s": first / 25,
        "end_s": (first + n) / 25,
        "n_frames": n,
        "fps": 25.0,
        "crop_x0": 0.0,
        "crop_y0": 0.0,
        "crop_size": 300.0,
        "landmarks": points,
        "landmark_scheme": "ibug68",
        "pose_deg": np.zeros((n, 3), dtype=np.float32),
        "pose_method": "made",
        "speech_features": np.full((n, 4), 0.5, dtype=np.float16) if tier == "diffusion" else None,
        "identity": np.ones(128, dtype=np.float32),
        **media,
    }


def make_dataset(folder: Path) -> Path:
    contents = [
        (f"{CLIP_1}.mp4", _mp4(100)),
        (f"{CLIP_1}.flac", _flac(64_000)),
        (f"{CLIP_2}.mp4", _mp4(80)),
    ]
    ranges = write_tar(folder / "media" / f"{A}.tar", contents)
    fields = [
        {f"{kind}_offset": where.offset, f"{kind}_size": where.size, f"{kind}_sha256": sha256_of(content)}
        for kind, (_, content), where in zip(("mp4", "flac", "mp4"), contents, ranges, strict=True)
    ]
    clips = [
        clip(CLIP_1, "diffusion", 0, 100, media=f"media/{A}.tar", **fields[0], **fields[1]) | SAID.row(),
        clip(CLIP_2, "vae", 120, 80, media=f"media/{A}.tar", **fields[2]),
    ]
    kept = {"kept_diffusion_s": 4.0, "kept_vae_s": 7.2, "n_clips": 2}
    videos = [
        video(video_id=A, path="/videos/a.mp4", speaker_id="anna", duration_s=8.0, **kept),
        video(video_id=A, path="/videos/b.mp4", speaker_id="bert", duplicate_of="/videos/a.mp4"),
        video(
            video_id=BROKEN, path="/videos/broken.mp4", status="failed", error_code="unreadable", error_detail="empty"
        ),
        video(video_id=D, path="/videos/x/d.mp4", source="two", duration_s=2.0),
    ]
    spans = [
        *spans_of(A, "diffusion", (0, 100, "kept", CLIP_1), (100, 120, "frontal", None), (120, 200, "silence", None)),
        *spans_of(A, "vae", (0, 100, "kept", CLIP_1), (100, 120, "frontal", None), (120, 200, "kept", CLIP_2)),
        *spans_of(D, "diffusion", (0, 50, "too_short", None)),
        *spans_of(D, "vae", (0, 50, "too_short", None)),
    ]
    write_parquet(folder / "videos" / "videos.parquet", table_of("videos", videos), VIDEOS)
    write_parquet(folder / "spans" / "spans.parquet", table_of("spans", spans), SPANS)
    write_parquet(folder / "clips" / "a.parquet", table_of("clips", clips), CLIPS)
    write_parquet(folder / "frames" / "a.parquet", table_of("frames", frames_of(A, 200)), FRAMES)
    write_parquet(folder / "frames" / "d.parquet", table_of("frames", frames_of(D, 50)), FRAMES)
    write_dataset(
        folder,
        DatasetRecord(
            schema_version=SCHEMA_VERSION,
            software="gaia-avatar",
            software_version="0.1.0",
            preset="embedded",
            config={"rules": {"frontal": {"strict_deg": 15.0}}},
            weights=(
                WeightRecord(
                    name="face_landmarker",
                    role="perception",
                    sha256="0" * 64,
                    licence="Apache-2.0",
                    commercial_use=True,
                ),
            ),
            tables=describe_tables(),
            totals=totals_of(folder),
            rules=rule_records(RulesSettings(), own=()),
        ),
    )
    return folder


@pytest.fixture(scope="session")
def made_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("made") / "dataset")


@pytest.fixture
def dataset(made_dataset: Path, tmp_path: Path) -> Path:
    """A copy of the small dataset; a test may spoil it."""
    return Path(shutil.copytree(made_dataset, tmp_path / "dataset"))
