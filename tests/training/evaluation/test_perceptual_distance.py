import hashlib
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from foundation.errors import UsageError
from foundation.weights import MissingAssetsError, asset_record, registry
from training.evaluation.metric_weights import METRIC_ASSETS, unavailable_metrics
from training.evaluation.perceptual_distance import lpips, lpips_network

CPU = torch.device("cpu")
ALEXNET = (("0", 3, 64, 11, 4, 2), ("3", 64, 192, 5, 1, 2), ("6", 192, 384, 3, 1, 1), ("8", 384, 256, 3, 1, 1))
LAYERS = (*ALEXNET, ("10", 256, 256, 3, 1, 1))
"""Number of each convolution in torchvision's `alexnet().features`; channels, width, kernel, stride, padding."""


def _published() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Random tensors with the names and shapes of torchvision's AlexNet and of the heads of the package `lpips`."""
    random = torch.Generator().manual_seed(0)
    alexnet = {"classifier.1.weight": torch.zeros(1)}
    heads = {}
    for number, (name, channels, width, kernel, _, _) in enumerate(LAYERS):
        scale = math.sqrt(2.0 / (kernel * kernel * channels))
        alexnet[f"features.{name}.weight"] = scale * torch.randn(width, channels, kernel, kernel, generator=random)
        alexnet[f"features.{name}.bias"] = 0.05 * torch.randn(width, generator=random)
        heads[f"lin{number}.model.1.weight"] = torch.rand(1, width, 1, 1, generator=random)
    return alexnet, heads


def _by_definition(ours: np.ndarray, theirs: np.ndarray) -> list[float]:
    """Equation 1 of Zhang et al. (2018) in double precision on AlexNet, step by step."""
    alexnet, heads = _published()
    shift, scale = (torch.tensor(v).double()[:, None, None] for v in ([-0.030, -0.088, -0.188], [0.458, 0.448, 0.450]))
    sides = [
        (torch.from_numpy(side).permute(0, 3, 1, 2).double() / 127.5 - 1 - shift) / scale for side in (ours, theirs)
    ]
    distance = torch.zeros(len(ours)).double()
    for number, (name, _, _, _, stride, padding) in enumerate(LAYERS):
        if number in (1, 2):
            sides = [functional.max_pool2d(side, 3, 2) for side in sides]
        weight, bias = (alexnet[f"features.{name}.{part}"].double() for part in ("weight", "bias"))
        sides = [torch.conv2d(side, weight, bias, stride=stride, padding=padding).clamp_min(0.0) for side in sides]
        unit = [side / side.norm(dim=1, keepdim=True) for side in sides]
        head = heads[f"lin{number}.model.1.weight"].double()[0, :, 0, 0]
        distance += torch.einsum("bchw,c->bhw", (unit[0] - unit[1]) ** 2, head).mean((1, 2))
    return distance.tolist()


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of weights; the cache is empty too."""
    (tmp_path / "mirror").mkdir()
    monkeypatch.setenv("GAIA_MODELS", str(tmp_path / "mirror"))
    monkeypatch.setenv("GAIA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "mirror"


def _save(name: str, folder: Path, tensors: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a file under the name of an asset's, and make the registry expect its digest."""
    record = asset_record(name)
    path = folder / record.files[0].name
    torch.save(tensors, path)
    file = replace(record.files[0], sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setitem(registry._BY_NAME, name, replace(record, files=(file,)))


def test_lpips_on_alexnet_is_that_of_its_definition_with_the_files_of_the_user(
    mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alexnet, heads = _published()
    _save("alexnet", mirror, alexnet, monkeypatch)
    _save("lpips_alex", mirror, heads, monkeypatch)
    network = lpips_network("alexnet", CPU)
    ours, theirs = np.random.default_rng(1).integers(0, 256, (2, 2, 64, 72, 3), dtype=np.uint8)
    assert lpips(network, ours, theirs).tolist() == pytest.approx(_by_definition(ours, theirs), rel=1e-4)
    assert lpips(network, ours, ours).tolist() == [0.0, 0.0]
    near = (theirs // 2 + 64) // 2 + theirs // 2  # a little less contrast
    assert (lpips(network, near, theirs) < 0.2 * lpips(network, ours, theirs)).all()
    with pytest.raises(UsageError, match="72x31 have no LPIPS"):
        lpips(network, ours[:, :31], theirs[:, :31])
    with pytest.raises(UsageError, match=r"\(1, 64, 72, 3\) and true ones \(2, 64, 72, 3\)"):
        lpips(network, ours[:1], theirs)
    assert "lpips_alex" not in unavailable_metrics()


@pytest.mark.usefixtures("mirror")
def test_without_files_each_metric_names_them_and_how_to_get_them() -> None:
    reasons = unavailable_metrics()
    assert set(reasons) == set(METRIC_ASSETS)
    assert reasons["sync"].startswith("syncnet_v2.model is not on this machine: `gaia-curate models pull syncnet_v2`")
    assert "vgg16-397923af.pth, lpips_vgg.pth" in reasons["lpips_vgg"]
    with pytest.raises(MissingAssetsError) as caught:
        lpips_network("alexnet", CPU)
    for part in (
        *("alexnet-owt-7be5be79.pth", "lpips_alex.pth", "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"),
        *("BSD-3-Clause", "gaia-curate models pull alexnet lpips_alex", "leave out lpips_alex"),
    ):
        assert part in str(caught.value)


def test_another_file_of_the_right_name_is_a_reason_and_never_used(mirror: Path) -> None:
    torch.save({}, mirror / "syncnet_v2.model")
    assert "sha256 is" in unavailable_metrics()["sync"]


def test_digests_agree_with_the_names_that_their_publishers_gave() -> None:
    for name in ("inception_fid", "alexnet"):
        (file,) = asset_record(name).files
        assert file.sha256.startswith(file.name.removesuffix(".pth").rpartition("-")[2])
    assert all(asset_record(name).is_pinned for names in METRIC_ASSETS.values() for name in names)
