"""Evidence made by hand: one calm, frontal, speaking face of 200 px, which tests then spoil in one respect.

And a small dataset that a real run has made, which tests read or copy.
"""

import shutil
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from helpers.made_videos import SmallRun, TalkingFace, frame_times, talking_video

from curation.engine.execution import Executor
from curation.evidence.measures import Evidence, Faces
from curation.operations.run import run
from curation.settings import CurationSettings

FRONTAL_KEY_POINTS = np.array(
    [[0.5, 0.6], [0.2, 0.3], [0.4, 0.3], [0.6, 0.3], [0.8, 0.3], [0.35, 0.8], [0.65, 0.8], [0.5, 0.78], [0.5, 0.82]],
    dtype=np.float32,
)
"""In widths of the face box, from its top left corner. The nose lies midway below the eyes: frontal angle 180."""

SYLLABLE = np.array([0.0, 0.04, 0.08, 0.12, 0.12, 0.08, 0.04, 0.0], np.float32)
"""Opening of the mouth over the ticks of a syllable, in widths of the face box: the lower lip moves by it."""


def _faces(box: np.ndarray, tick: np.ndarray) -> Faces:
    n = len(tick)
    origin, width = box[:, None, :2], (box[:, 2] - box[:, 0])[:, None, None]
    key_points = (origin + FRONTAL_KEY_POINTS[None] * width).astype(np.float32)
    key_points[:, 8, 1] += SYLLABLE[tick % len(SYLLABLE)] * width[:, 0, 0]
    return Faces(
        tick=tick.astype(np.int64),
        box_px=box.astype(np.float32),
        score=np.ones(n, np.float32),
        key_points_px=key_points,
        landmarks_px=np.repeat(key_points, 8, axis=1)[:, :68],
        pose_deg=np.zeros((n, 3), np.float32),
        blendshapes=None,
        lip_aperture=(0.04 + 0.03 * np.sin(tick)).astype(np.float32),
        mask_prob=np.zeros(n, np.float32),
        mask_measured=np.ones(n, np.bool_),
        sharpness=np.full(n, 100.0, np.float32),
        luma=np.full(n, 120.0, np.float32),
        descriptor=np.where((tick % 25 == 0)[:, None], 0.1, np.nan).repeat(128, axis=1).astype(np.float32),
    )


@pytest.fixture(scope="session")
def make_faces() -> Callable[..., Faces]:
    def make(ticks: np.ndarray, x0: float = 100.0, width: float = 200.0) -> Faces:
        box = np.tile(np.array([x0, 80.0, x0 + width, 80.0 + width], np.float32), (len(ticks), 1))
        return _faces(box, np.asarray(ticks))

    return make


@pytest.fixture(scope="session")
def make_evidence() -> Callable[..., Evidence]:
    def make(n: int, *, boxes: np.ndarray | None = None, faces: Faces | None = None, sound: bool = True) -> Evidence:
        """A calm face on every tick, or on ticks with the given (n, 4) boxes (NaN: none), or these faces."""
        if faces is None:
            if boxes is None:
                boxes = np.tile(np.array([100.0, 80.0, 300.0, 280.0], np.float32), (n, 1))
            ticks = np.flatnonzero(~np.isnan(boxes[:, 0]))
            faces = _faces(boxes[ticks], ticks)
        return Evidence(
            decoded=np.ones(n, np.bool_),
            faces=faces,
            cut_score=np.zeros(n, np.float32),
            speech_prob=np.ones(n, np.float32) if sound else None,
            loudness_dbfs=np.full(n, -20.0, np.float32) if sound else None,
        )

    return make


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory, talking_face: TalkingFace) -> SmallRun:
    """A run over four files; read it, never write to it.

    `a_talking.mp4`, of 3.4 s, is a clip of tier diffusion; `b_mute.mp4`, the same without sound, one of tier vae;
    `c_broken.mp4` is a text; `d_again.mp4` is a copy of the first.
    """
    source = tmp_path_factory.mktemp("small") / "raw"
    source.mkdir()
    times_s = frame_times(Fraction(25), 85)
    talking = talking_video(source / "a_talking.mp4", talking_face, times_s, sound=talking_face.sound(0.0, 3.4))
    talking_video(source / "b_mute.mp4", talking_face, times_s)
    (source / "c_broken.mp4").write_text("no video")
    shutil.copy(talking, source / "d_again.mp4")
    run(str(source), source.parent / "dataset", CurationSettings(), Executor())
    return SmallRun(source=source, dataset=source.parent / "dataset")
