import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.small_vae import SMALL_VAE, train_small_vae

from foundation.array_types import Float32Array, RgbImage
from foundation.errors import CannotStartError
from models.pixels import to_float, to_uint8
from models.run_folder import RunFolder
from models.vae.vae import LatentNoise, Vae, VaeConfig
from models.weights import load_weights
from training.data.clips import ClipError
from training.data.randomness import torch_generator
from training.data.selection import DataConfig, select_clips
from training.loop.parallel import Ranks
from training.loop.validation.held_out_metrics import ValidationPass, measured
from training.vae.config import VaeTrainingConfig
from training.vae.samples import FramePairs
from training.vae.task import VaeTask
from training.vae.validation import KeypointSource

CPU = torch.device("cpu")
WHERE = ValidationPass(device=CPU, bf16=False)
STEPS = replace(SMALL_VAE.train, steps=3, validate_every=2, validation_clips=2, checkpoint_every=3)
CONFIG = replace(SMALL_VAE, train=STEPS, check_pairs=0)


class _BrightKeypoints:
    """Two landmarks: both at the mean brightness; a picture brighter than 200 has no face."""

    def landmarks(self, image: RgbImage) -> Float32Array:
        level = float(image.mean())
        return np.full((2, 2), np.nan if level > 200 else level, np.float32)

    def distance(self, made_K2: Float32Array, true_K2: Float32Array) -> float | None:
        off = float(np.abs(made_K2 - true_K2).mean())
        return None if np.isnan(off) else off


def _bright(_dataset: Path, _scheme: str) -> _BrightKeypoints:
    return _BrightKeypoints()


@pytest.fixture(scope="module")
def dataset(make_clips: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    val = [{"video": name, "n_frames": 41, "split": "val"} for name in "cd"]
    return make_clips(tmp_path_factory.mktemp("data") / "dataset", {"video": "a", "n_frames": 40}, *val)


def _task(dataset: Path, keypoints: KeypointSource | None = None, config: VaeTrainingConfig = CONFIG) -> VaeTask:
    torch.manual_seed(1)
    task = VaeTask(dataset, config, keypoints)
    task.vae.eval()
    return task


def test_metrics_are_those_of_frames_rebuilt_from_the_first_one(dataset: Path) -> None:
    """Frames 10, 20, 30 and 40 of both clips, each from frame 0; written out pair by pair."""
    task = _task(dataset, _bright)
    validation = task.validation()
    assert validation is not None
    with torch.no_grad():
        values = measured(validation, WHERE, Ranks(device=CPU))
    index = select_clips(dataset, DataConfig(splits=("val",)))
    pairs = FramePairs(index, image_px=32, seed=5)
    expected: dict[str, list[float]] = {"loss": [], "reconstruction": [], "psnr_db": [], "copy_psnr_db": [], "akd": []}
    for clip in range(2):
        for target in (10, 20, 30, 40):
            pair = pairs.pair(clip, 0, target)
            first, true = to_float(pair.image_i_CHW[None]), to_float(pair.image_j_CHW[None])
            drawn = task.renderer(pair.landmarks_K2[None], pair.valid_K[None])
            generator = torch_generator("validation", index.row(clip).clip_id, target)
            model = CONFIG.model
            shapes = (model.appearance_shape, model.motion_shape)
            noise = LatentNoise(*(torch.randn(shape, generator=generator)[None] for shape in shapes))
            with torch.no_grad():
                noisy, exact = task.vae(first, drawn, noise), task.vae(first, drawn, None)
            off = float((noisy.image_BCHW - true).abs().sum())
            kl = sum(
                float(0.5 * (p.mean_BCHW**2 + p.logvar_BCHW.exp() - 1 - p.logvar_BCHW).sum())
                for p in (noisy.appearance, noisy.motion)
            )
            made, truth, copy = (to_uint8(image)[0].astype(float) for image in (exact.image_BCHW, true, first))
            expected["reconstruction"].append(off)
            expected["loss"].append(off + 1e-6 * kl)
            expected["psnr_db"].append(10 * np.log10(255**2 / np.mean((made - truth) ** 2)))
            expected["copy_psnr_db"].append(10 * np.log10(255**2 / np.mean((copy - truth) ** 2)))
            expected["akd"].append(abs(made.mean() - truth.mean()))
    assert values["akd_px"] == pytest.approx(np.mean(expected.pop("akd")), rel=1e-4)
    for name, numbers in expected.items():
        assert len(numbers) == 8
        assert values[name] == pytest.approx(np.mean(numbers), rel=1e-5), name
    assert values["faces_lost"] == 0.0


def test_validation_is_the_same_whenever_it_is_made_and_reads_frames_once(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    validation = _task(dataset).validation()
    assert validation is not None
    with torch.no_grad():
        before = measured(validation, WHERE, Ranks(device=CPU))
        torch.manual_seed(77)
        monkeypatch.setattr(FramePairs, "pair", None)
        assert measured(validation, WHERE, Ranks(device=CPU)) == before
    assert not {"akd_px", "faces_lost"} & before.keys()
    assert "akd_px" not in validation.metrics


def test_frames_whose_rebuilt_face_is_lost_are_counted_apart(dataset: Path) -> None:
    task = _task(dataset, _bright)
    with torch.no_grad():
        task.vae.decoder.image.weight.zero_()
        task.vae.decoder.image.bias.fill_(1.0)  # white
        values = measured(task.validation(), WHERE, Ranks(device=CPU))  # type: ignore[arg-type]
    assert values["faces_lost"] == 1.0
    assert "akd_px" not in values


def test_damaged_clip_is_left_out_of_the_means(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = FramePairs.pair

    def damaged(pairs: FramePairs, clip: int, source: int, target: int) -> object:
        if clip == 0 or target == 10:
            raise ClipError("c-1: made up")
        return whole(pairs, clip, source, target)

    monkeypatch.setattr(FramePairs, "pair", damaged)
    validation = _task(dataset).validation()
    assert validation is not None
    with torch.no_grad():
        sums = [validation.sums(number, WHERE) for number in range(len(validation))]
    assert [one["loss"].n if one else 0 for one in sums] in ([0, 3], [3, 0])


def test_landmark_model_that_is_not_there_is_told_and_the_rest_is_measured(dataset: Path) -> None:
    def missing(_dataset: Path, _scheme: str) -> _BrightKeypoints:
        raise CannotStartError("the landmark model 'mediapipe' cannot be loaded: face_landmarker.task is missing")

    task = _task(dataset, missing)
    assert task.validation() is not None
    assert task.notes() == (
        "validation leaves out AKD: the landmark model 'mediapipe' cannot be loaded: face_landmarker.task is missing",
    )


def test_dataset_without_other_people_trains_and_says_that_nothing_is_validated(
    make_clips: Callable[..., Path], tmp_path: Path
) -> None:
    task = _task(make_clips(tmp_path / "dataset", {"video": "a", "n_frames": 40}))
    assert task.validation() is None
    (note,) = task.notes()
    assert note.startswith("nothing is validated: ")
    off = replace(CONFIG, train=replace(STEPS, validate_every=None))
    assert _task(tmp_path / "dataset", config=off).notes() == ()


def test_run_keeps_the_best_vae_under_its_own_name(dataset: Path, tmp_path: Path) -> None:
    train_small_vae(tmp_path / "run", dataset, CONFIG)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    measured_at = {line["step"]: line["validation/psnr_db"] for line in lines if "validation/psnr_db" in line}
    assert measured_at.keys() == {2, 3}
    weights = RunFolder.of(tmp_path / "run" / "best").weights()
    assert weights.parent.parent.name == f"step_{max(measured_at, key=lambda step: measured_at[step]):08d}"
    vae = load_weights(weights, Vae, VaeConfig, VaeTask(dataset, CONFIG).export().facts)
    task = _task(dataset)
    task.vae.load_state_dict(vae.state_dict())
    validation = task.validation()
    assert validation is not None
    with torch.no_grad():
        again = measured(validation, WHERE, Ranks(device=CPU))
    assert again["psnr_db"] == pytest.approx(max(measured_at.values()), rel=1e-4)  # channels lie otherwise
