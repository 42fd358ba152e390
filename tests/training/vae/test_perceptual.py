import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from foundation.weights import catalogue_training as weight_files
from foundation.weights import folders as places
from foundation.weights.catalogue_training import (
    LPIPS_VGG_HEADS,
    VGG16,
    WeightFile,
    WeightFileError,
    read_weight_file,
    search_folders,
)
from models.vae.lpips import Lpips, seeded_lpips
from training.vae import perceptual
from training.vae.perceptual import PerceptualConfig, perceptual_network

Monkeypatch = pytest.MonkeyPatch


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: Monkeypatch) -> Path:
    """An empty `mirror` and an empty cache."""
    (tmp_path / "mirror").mkdir()
    monkeypatch.setenv("GAIA_MODELS", str(tmp_path / "mirror"))
    monkeypatch.setenv("GAIA_CACHE", str(tmp_path / "cache"))
    return tmp_path


def _file(path: Path, **tensors: torch.Tensor) -> WeightFile:
    """Write a checkpoint and return its record."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(tensors, path)
    return replace(VGG16, name=path.name, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def test_files_are_looked_for_where_those_of_curation_are(folders: Path, monkeypatch: Monkeypatch) -> None:
    assert search_folders() == places.search_folders() == [folders / "mirror", folders / "cache" / "models"]
    for name in ("GAIA_MODELS", "GAIA_CACHE"):
        monkeypatch.delenv(name)
    assert search_folders() == places.search_folders()


@pytest.mark.parametrize("place", ["mirror", "cache/models"])
def test_a_file_with_the_right_digest_is_read(folders: Path, place: str) -> None:
    file = _file(folders / place / "some.pth", a=torch.arange(3))
    assert read_weight_file(file)["a"].tolist() == [0, 1, 2]


def test_a_file_with_another_digest_is_refused_with_both(folders: Path) -> None:
    file = _file(folders / "mirror" / "some.pth", a=torch.zeros(1))
    _file(folders / "mirror" / "some.pth", a=torch.ones(1))
    with pytest.raises(
        WeightFileError, match=rf"some\.pth is not .*: its SHA-256 is [0-9a-f]{{64}}, not {file.sha256}"
    ):
        read_weight_file(file)


class _Program:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, ("never",)


def test_a_file_that_holds_a_program_is_refused_unread(folders: Path) -> None:
    path = folders / "mirror" / "some.pth"
    torch.save({"a": _Program()}, path)
    file = replace(VGG16, name=path.name, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(WeightFileError, match="nothing in it was run"):
        read_weight_file(file)


@pytest.mark.usefixtures("folders")
def test_lpips_without_its_weights_says_what_is_missing_where_and_how_to_go_on() -> None:
    with pytest.raises(WeightFileError) as caught:
        perceptual_network(PerceptualConfig())
    said = str(caught.value)
    for part in (VGG16.name, VGG16.url, "553 MB", "GAIA_MODELS", "mirror", "--set perceptual.network=random_vgg"):
        assert part in said


def test_lpips_takes_the_weights_of_both_files(folders: Path, monkeypatch: Monkeypatch) -> None:
    of_lpips = seeded_lpips(3)
    vgg = {f"features.{name}": tensor for name, tensor in of_lpips.features.state_dict().items()}
    heads = {
        f"lin{n}.model.1.weight": 2.0 * head.detach()[None, :, None, None] for n, head in enumerate(of_lpips.heads)
    }
    monkeypatch.setattr(perceptual, "VGG16", _file(folders / "mirror" / VGG16.name, **vgg))
    monkeypatch.setattr(perceptual, "LPIPS_VGG_HEADS", _file(folders / "mirror" / LPIPS_VGG_HEADS.name, **heads))
    network = perceptual_network(PerceptualConfig())
    assert network is not None
    image, target = torch.rand(2, 1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2.0 - 1.0
    assert network(image, target).item() == pytest.approx(2.0 * of_lpips(image, target).item(), rel=1e-5)


def test_networks_without_files_need_none(monkeypatch: Monkeypatch) -> None:
    monkeypatch.setattr(weight_files, "search_folders", list)
    assert perceptual_network(PerceptualConfig(network="none")) is None
    first, second = (perceptual_network(PerceptualConfig(network="random_vgg")) for _ in range(2))
    assert isinstance(first, Lpips)
    assert isinstance(second, Lpips)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_digests_agree_with_what_publishers_say() -> None:
    """torchvision names a file by the first eight digits of its digest."""
    assert VGG16.sha256.startswith(VGG16.name.removesuffix(".pth").rpartition("-")[2])
    assert len(VGG16.sha256) == len(LPIPS_VGG_HEADS.sha256) == 64
