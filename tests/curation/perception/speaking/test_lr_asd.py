import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from curation.perception.speaking.lr_asd import LrAsdSpeaking
from curation.perception.speaking.lr_asd_network import LrAsdDetector, LrAsdEncoders
from foundation.cepstra import mel_cepstra
from foundation.weights import MissingAssetsError
from foundation.weights.asset import UnsafeAssetError

PARITY = 1e-4


@pytest.fixture(scope="module")
def checkpoint(shared_dir: Path) -> Path:
    return shared_dir / "models" / "lr_asd_ava.pth"


@pytest.fixture(scope="module")
def speaking(checkpoint: Path) -> LrAsdSpeaking:
    return LrAsdSpeaking(checkpoint)


def inputs(n_ticks: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Faces and cepstra out of noise; those of the reference for 50 ticks and seed 0."""
    generator = np.random.default_rng(seed)
    faces = generator.integers(0, 256, (n_ticks, 112, 112), np.uint8)
    return faces, (generator.standard_normal((4 * n_ticks, 13)) * 10).astype(np.float32)


def logits_of(speaking: LrAsdSpeaking, faces: np.ndarray, cepstra: np.ndarray) -> np.ndarray:
    return speaking.logits(*speaking.embeddings(faces, cepstra))


def test_logits_are_those_of_the_original(shared_dir: Path, speaking: LrAsdSpeaking) -> None:
    reference = json.loads((shared_dir / "reference" / "lr_asd.json").read_text())
    logits = logits_of(speaking, *inputs(50))
    np.testing.assert_allclose(logits[:, 0], reference["logit_silent"], atol=PARITY)
    np.testing.assert_allclose(logits[:, 1], reference["logit_speaking"], atol=PARITY)


def test_the_probability_is_the_softmax_of_the_logits(speaking: LrAsdSpeaking) -> None:
    faces, _ = inputs(20)
    audio = np.random.default_rng(1).normal(0, 0.1, 20 * 640).astype(np.float32)
    silent, speaks = np.exp(logits_of(speaking, faces, mel_cepstra(audio, 80)).astype(float)).T
    np.testing.assert_allclose(speaking(faces, audio), speaks / (silent + speaks), atol=1e-6)


def test_a_stretch_longer_than_a_call_gives_the_numbers_of_one_call(
    speaking: LrAsdSpeaking, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces, cepstra = inputs(40, seed=2)
    in_one = logits_of(speaking, faces, cepstra)
    monkeypatch.setattr("curation.perception.speaking.lr_asd._TICKS_AT_ONCE", 14)
    np.testing.assert_allclose(logits_of(speaking, faces, cepstra), in_one, atol=1e-5)
    monkeypatch.setattr("curation.perception.speaking.lr_asd._MARGIN_TICKS", 8)
    assert np.abs(logits_of(speaking, faces, cepstra) - in_one).max() > 1e-5, "the encoders see 9 ticks to either side"


def test_a_single_tick_and_no_tick_can_be_judged(speaking: LrAsdSpeaking) -> None:
    assert speaking(np.zeros((1, 112, 112), np.uint8), np.zeros(640, np.float32)).shape == (1,)
    assert speaking(np.zeros((0, 112, 112), np.uint8), np.zeros(0, np.float32)).shape == (0,)


def test_faces_of_another_size_are_refused(speaking: LrAsdSpeaking) -> None:
    with pytest.raises(ValueError, match=r"crops of shape \(5, 224, 224\)"):
        speaking(np.zeros((5, 224, 224), np.uint8), np.zeros(3200, np.float32))


def test_the_network_has_the_size_that_the_paper_states() -> None:
    # "0.84 M" parameters of the encoders and the detector, without the two outputs
    networks = (LrAsdEncoders(), LrAsdDetector())
    n = sum(parameter.numel() for network in networks for parameter in network.parameters())
    assert n == pytest.approx(0.84e6, abs=0.005e6)


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.pth"
    torch.save({"model.visualEncoder.block1.s_1.weight": torch.zeros(16, 1, 1, 7, 7)}, other)
    with pytest.raises(RuntimeError, match="Missing key"):
        LrAsdSpeaking(other)


def test_a_checkpoint_that_needs_code_to_be_read_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "lr_asd_ava.pth"
    torch.save({"model": subprocess.Popen}, program)
    with pytest.raises(UnsafeAssetError, match="Popen"):
        LrAsdSpeaking(program)


def test_weights_that_are_not_there_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAIA_MODELS", str(tmp_path))
    monkeypatch.setenv("GAIA_CACHE", str(tmp_path))
    with pytest.raises(MissingAssetsError, match="lr_asd_ava"):
        LrAsdSpeaking()


def test_importing_the_detector_stays_light() -> None:
    code = "import sys, curation.perception.speaking.lr_asd, curation.perception.speaking.face_crops;"
    code += "sys.exit(str({'torch', 'onnxruntime', 'cv2', 'scipy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "set()"
