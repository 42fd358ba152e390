"""FID, LPIPS and SyncNet on videos, with random weights in place of the published ones."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.made_videos import Sound
from helpers.square_faces import SquareFaces, square_video
from torch import Tensor, nn

from models.vae.lpips import Lpips
from training import evaluate_outputs
from training.comparison.metric_networks import MetricNetworks
from training.evaluation.syncnet import SyncNet

pytestmark = pytest.mark.slow


class Means(nn.Module):
    """Stands for Inception: the mean of red, green and blue of the left and right half."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, pictures_BCHW: Tensor) -> Tensor:
        half = pictures_BCHW.shape[-1] // 2
        halves = [pictures_BCHW[..., :half].mean((2, 3)), pictures_BCHW[..., half:].mean((2, 3))]
        return self.scale * 255 * torch.cat(halves, dim=1)


@pytest.fixture
def _weights(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    lpips, syncnet = Lpips("alexnet").eval().requires_grad_(False), SyncNet().eval().requires_grad_(False)
    monkeypatch.setattr("training.comparison.metric_networks.unavailable_metrics", dict)
    monkeypatch.setattr(MetricNetworks, "digest", lambda _self, metric: metric)
    for name, network in (("inception", Means()), ("lpips", lpips), ("syncnet", syncnet)):
        monkeypatch.setattr(MetricNetworks, name, lambda _self, network=network: network)


@pytest.mark.usefixtures("_weights")
def test_every_column_of_the_papers_table_is_computed(folders: Path, faces: SquareFaces, cache: Path) -> None:
    outputs = {name: folders / name for name in ("exact", "right")}
    table = evaluate_outputs(outputs, folders / "truth", faces=faces, cache=cache)
    exact, right = (row.scores for row in table.systems)
    assert set(table.unavailable) == {"csim_arcface"}
    assert exact["fid"].value == pytest.approx(0.0, abs=1e-6)
    assert exact["lpips"].value == pytest.approx(0.0, abs=1e-6)
    assert right["fid"].value > 1.0
    assert right["lpips"].value > 1e-4
    assert right["fid"].n_videos == 3
    assert all("sync_d" not in row.scores for row in table.systems), "silent videos have no Sync-D"


@pytest.mark.usefixtures("_weights")
def test_sync_is_of_the_result_and_its_own_sound(tmp_path: Path, faces: SquareFaces, cache: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 48_000).astype(np.float32)
    for folder in ("truth", "ours"):
        square_video(tmp_path / folder / "a.mp4", [20 + k for k in range(8)], sound=Sound(samples=noise[:15_360]))
    table = evaluate_outputs({"ours": tmp_path / "ours"}, tmp_path / "truth", faces=faces, cache=cache, table="speech")
    ours = table.systems[0].scores
    assert ours["sync_d"].value == pytest.approx(table.truth.scores["sync_d"].value)
    assert ours["sync_d"].value > 0
    assert ours["sync_c"].value >= 0
    assert 0 <= ours["sync_offset"].value <= 15
