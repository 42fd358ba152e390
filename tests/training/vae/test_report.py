import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from helpers.small_vae import SMALL_VAE, train_small_vae
from torch import Tensor

from models.pixels import to_float
from models.run_folder import RunFolder
from models.vae.landmark_image import LandmarkRenderer
from models.vae.vae import Vae
from training.vae import report as reconstruction_check
from training.vae.report import check_reconstruction, reconstruction_report, report_lines
from training.vae.samples import FramePairBatch
from training.vae.task import VaeTask
from training.vae.validation import psnr_db

CPU = torch.device("cpu")


def _batch(source: list[int], target: list[int]) -> FramePairBatch:
    """Pairs of grey pictures of these levels."""
    sides = [
        torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 4, 4) for levels in (source, target)
    ]
    return FramePairBatch(sides[0], sides[1], torch.zeros(2, 1, 2), torch.ones(2, 1, dtype=torch.bool), ())


def test_psnr_is_that_of_the_squared_difference_in_bytes() -> None:
    grey = np.full((4, 4, 3), 100, np.uint8)
    half = grey.copy()
    half[:2] += 10
    assert psnr_db(half, grey) == pytest.approx(10.0 * np.log10(255**2 / 50.0))
    assert psnr_db(grey, half) == psnr_db(half, grey)
    assert psnr_db(grey, grey) == 100.0


def test_frames_as_rebuilt_and_copies_of_the_reference_are_compared_with_the_target(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def two_off(_vae: Vae, _renderer: LandmarkRenderer, batch: FramePairBatch) -> Tensor:
        return to_float(batch.image_j_BCHW + 2)

    monkeypatch.setattr(reconstruction_check, "reconstruct", two_off)
    vae, renderer = cast("Vae", None), cast("LandmarkRenderer", None)
    check = check_reconstruction(vae, renderer, [_batch([100, 50], [101, 60]), _batch([7, 7], [8, 17])])
    one, two, ten = (20.0 * np.log10(255.0 / off) for off in (1, 2, 10))
    assert check.n_pairs == 4
    assert check.psnr_db == pytest.approx(two)
    assert check.copy_psnr_db == pytest.approx((one + ten) / 2)
    assert check.gain_db == pytest.approx(two - (one + ten) / 2)


def test_the_report_measures_learned_unseen_and_other_clips_frames(
    make_clips: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clips of 40 frames, of which the last 4 are held out; frame k shows the number k, in the landmarks k / 8."""
    clips = [{"video": name, "n_frames": 40} for name in "ab"]
    dataset = make_clips(tmp_path / "dataset", *clips, {"video": "c", "n_frames": 20, "split": "val"})
    run = tmp_path / "run"
    config = replace(SMALL_VAE, train=replace(SMALL_VAE.train, steps=1))
    train_small_vae(run, dataset, config)
    shown: list[list[int]] = []

    def seen(_vae: Vae, _renderer: LandmarkRenderer, batch: FramePairBatch) -> Tensor:
        shown.append((batch.landmarks_BK2[:, 0, 0] * 8 * 64 / 32).round().int().tolist())
        return to_float(batch.image_j_BCHW)

    monkeypatch.setattr(reconstruction_check, "reconstruct", seen)
    checks = reconstruction_report(VaeTask(dataset, config), RunFolder(run), CPU)
    learned, unseen, val = shown
    assert [len(frames) for frames in shown] == [6, 6, 6]
    assert max(learned) < 36 <= min(unseen)
    assert {min(unseen), max(unseen)} == {36, 39}
    assert (min(val), max(val)) == (0, 19)
    measured = json.loads((run / "reconstruction_check.json").read_text())
    assert measured.keys() == {"checkpoint", "learned", "unseen", "val"}
    assert measured["checkpoint"] == "step_00000001"
    assert measured["unseen"]["psnr_db"] == 100.0
    assert measured["unseen"]["gain_db"] == pytest.approx(100.0 - measured["unseen"]["copy_psnr_db"])
    assert [line.partition(",")[0] for line in report_lines(checks)] == [
        "learned frames",
        "unseen frames of learned clips",
        "clips of split val",
    ]
