"""What faces have to do with the sound: which ticks, which sound and which pictures the models are given.

The sound of tick k is the constant k / 1000, so that a model that repeats what it hears says where it was asked to
listen. The frame of tick k has the grey 2 k.
"""

from dataclasses import dataclass, field, fields
from fractions import Fraction
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from helpers.made_videos import Sound, frame_times, write_video

from curation.analysis import lips_and_sound
from curation.analysis.lips_and_sound import pieces_of, shapes_in, sync_scores
from curation.analysis.speakers import with_speakers
from curation.evidence.measures import Evidence, Faces
from curation.evidence.track_stretches import TrackStretch
from curation.media.probe import VideoInfo, probe
from curation.media.settings import DEFAULT_MEDIA_SETTINGS
from curation.perception.lips import LipModels
from curation.perception.speaking.face_crops import crop_squares, cut_grey_face
from curation.rules.sync import SyncSettings

N_TICKS = 120
LAGS = np.arange(-15, 16)


@dataclass
class Repeats:
    """A comparison whose score at a lag is the number of the tick that is heard, over 1000."""

    name: str = "repeats"
    digest: str = "0" * 64
    strength: float = 1.0
    landmarks: list[np.ndarray] = field(default_factory=list)

    def sound_rows(self, audio_16k: np.ndarray, n_ticks: int) -> np.ndarray:
        return audio_16k.reshape(n_ticks, 640)[:, 200:440].mean(axis=1, keepdims=True)

    def scores(self, landmarks_px: np.ndarray, blendshapes: np.ndarray, speech: np.ndarray) -> np.ndarray:
        assert len(landmarks_px) == len(blendshapes) == len(speech)
        self.landmarks.append(landmarks_px)
        at = np.arange(len(speech))[:, None] + LAGS
        within = (at >= 0) & (at < len(speech))
        heard = speech[np.clip(at, 0, len(speech) - 1), 0]
        return np.where(within, heard * self.strength, np.nan).astype(np.float32)


@dataclass
class Counts:
    """A detector of the active speaker that says which ticks it hears."""

    crops: list[np.ndarray] = field(default_factory=list)

    def squares(self, boxes_px: np.ndarray) -> np.ndarray:
        return crop_squares(boxes_px, (1.0, 0.0))

    def crop(self, frame: np.ndarray, square: np.ndarray) -> np.ndarray:
        return cut_grey_face(frame, square)

    def __call__(self, faces: np.ndarray, audio_16k: np.ndarray) -> np.ndarray:
        self.crops.append(faces)
        return audio_16k.reshape(len(faces), 640)[:, 200:440].mean(axis=1)


@pytest.fixture(scope="module")
def info(tmp_path_factory: pytest.TempPathFactory) -> VideoInfo:
    samples = np.repeat(np.arange(N_TICKS) / 1000, 1920).astype(np.float32)
    path = tmp_path_factory.mktemp("counted") / "counted.mkv"
    greys = (np.full((160, 240, 3), 2 * k, np.uint8) for k in range(N_TICKS))
    sound = Sound(samples=samples, codec="flac")
    return probe(write_video(path, frame_times(Fraction(25), N_TICKS), greys, sound=sound))


def faces_at(ticks: np.ndarray) -> Faces:
    """Faces whose first landmark says the tick."""
    n = len(ticks)
    shapes = {"box_px": (4,), "key_points_px": (9, 2), "landmarks_px": (2, 2), "pose_deg": (3,), "blendshapes": (52,)}
    columns = {
        one.name: np.zeros((n, *shapes.get(one.name, ())), np.float32)
        for one in fields(Faces)
        if one.name not in ("jitter_points_px", "sync_scores", "speaking_prob")
    }
    columns["landmarks_px"][:, 0, 0] = ticks
    columns["box_px"][:] = (100, 40, 180, 120)
    return Faces(**columns | {"tick": ticks, "mask_measured": np.ones(n, np.bool_)})


def stretch(first: int, end: int, faces: Faces, track_id: int = 0, *, in_company: bool = False) -> TrackStretch:
    face = np.full(end - first, -1)
    inside = np.flatnonzero((faces.tick >= first) & (faces.tick < end))
    face[faces.tick[inside] - first] = inside
    return TrackStretch(first_tick=first, end_tick=end, track_id=track_id, face=face, in_company=in_company)


def evidence_of(faces: Faces) -> Evidence:
    ones = np.ones(N_TICKS, np.float32)
    return Evidence(decoded=ones > 0, faces=faces, cut_score=ones * 0, speech_prob=ones, loudness_dbfs=ones)


def test_each_tick_is_compared_with_the_sound_of_its_own_time_at_each_lag(info: VideoInfo) -> None:
    faces, model = faces_at(np.r_[0:50, 51:N_TICKS]), Repeats()
    scores = sync_scores(info, [stretch(20, 90, faces)], len(faces), shapes_in(faces), model)
    assert scores is not None
    expected = faces.tick[:, None] + LAGS
    outside = (expected < 20) | (expected >= 90) | ((faces.tick < 20) | (faces.tick >= 90))[:, None]
    np.testing.assert_allclose(scores, np.where(outside, np.nan, expected / 1000), atol=1e-3)
    assert np.array_equal(scores, scores.astype(np.float16), equal_nan=True)  # as they are stored
    np.testing.assert_array_equal(model.landmarks[0][:, 0, 0], np.arange(20, 90))  # tick 50 lies between two


def test_a_long_stretch_in_pieces_has_the_scores_of_one_piece(info: VideoInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    faces = faces_at(np.arange(N_TICKS))
    both = [stretch(0, 110, faces), stretch(30, 80, faces, 1)]
    whole = sync_scores(info, both[:1], len(faces), shapes_in(faces), Repeats())
    monkeypatch.setattr(lips_and_sound, "_PIECE_TICKS", 40)
    pieces = list(pieces_of(both))
    assert [piece.kept for piece in pieces] == [(0, 36), (36, 73), (73, 110)]
    assert [(piece.first_tick, piece.end_tick) for piece in pieces] == [(0, 58), (14, 95), (51, 110)]
    divided = sync_scores(info, both[:1], len(faces), shapes_in(faces), Repeats())
    np.testing.assert_allclose(divided, whole, atol=1e-3)


def models(sync: Repeats | None, speaking: Counts | None) -> LipModels:
    return cast("LipModels", SimpleNamespace(sync=sync, speaking=speaking))


def measured(info: VideoInfo, faces: Faces, stretches: list[TrackStretch], both: LipModels) -> Faces:
    evidence = with_speakers(
        info,
        evidence_of(faces),
        stretches,
        both,
        shapes_of=shapes_in(faces),
        media=DEFAULT_MEDIA_SETTINGS,
        sync=SyncSettings(),
    )
    return evidence.faces


def test_who_is_in_company_or_out_of_sync_is_looked_at_again(info: VideoInfo) -> None:
    faces = faces_at(np.arange(N_TICKS))
    alone, beside = stretch(10, 60, faces), stretch(40, 90, faces, 1, in_company=True)
    looking = Counts()
    prob = measured(info, faces, [alone, beside], models(None, looking)).speaking_prob
    assert prob is not None
    assert np.flatnonzero(~np.isnan(prob)).tolist() == list(range(40, 90))
    np.testing.assert_allclose(prob[40:90], np.arange(40, 90) / 1000, atol=1e-3)
    assert [crops.shape for crops in looking.crops] == [(50, 112, 112)]
    np.testing.assert_allclose(looking.crops[0].mean(axis=(1, 2)), 2 * np.arange(40, 90), atol=3)
    # the scores of `Repeats` rise evenly with the lag: a z far below the limit
    doubtful = measured(info, faces, [alone, beside], models(Repeats(), Counts())).speaking_prob
    assert doubtful is not None
    assert np.flatnonzero(~np.isnan(doubtful)).tolist() == list(range(10, 90))
    sure = measured(info, faces, [alone, beside], models(Repeats(strength=100.0), Counts())).speaking_prob
    assert sure is not None
    assert np.flatnonzero(~np.isnan(sure)).tolist() == list(range(40, 90))


def test_nothing_is_loaded_without_a_stretch_and_nothing_measured_without_blendshapes(info: VideoInfo) -> None:
    faces = faces_at(np.arange(N_TICKS))
    nothing = cast("LipModels", object())
    assert measured(info, faces, [], nothing) is faces
    bare = Faces(**{one.name: getattr(faces, one.name) for one in fields(Faces)} | {"blendshapes": None})
    assert measured(info, bare, [stretch(0, 100, bare)], models(Repeats(), None)).sync_scores is None
