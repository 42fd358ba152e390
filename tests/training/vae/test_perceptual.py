import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from foundation.weights import Asset, AssetError, UnsafeAssetError, WrongAssetError, asset_names, asset_record, registry
from models.vae.lpips import Lpips, seeded_lpips
from training.vae.perceptual import PerceptualConfig, perceptual_network

Monkeypatch = pytest.MonkeyPatch


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: Monkeypatch) -> Path:
    """An empty `mirror` and an empty cache."""
    (tmp_path / "mirror").mkdir()
    monkeypatch.setenv("GAIA_MODELS", str(tmp_path / "mirror"))
    monkeypatch.setenv("GAIA_CACHE", str(tmp_path / "cache"))
    return tmp_path


def _vgg_and_heads() -> tuple[Lpips, dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """A network, and the tensors of both published files for one whose heads are twice as large."""
    of_lpips = seeded_lpips(3)
    vgg = {f"features.{name}": tensor for name, tensor in of_lpips.features.state_dict().items()}
    heads = {
        f"lin{n}.model.1.weight": 2.0 * head.detach()[None, :, None, None] for n, head in enumerate(of_lpips.heads)
    }
    return of_lpips, vgg, heads


def _save(name: str, folder: Path, content: object, monkeypatch: Monkeypatch) -> Asset:
    """Write a checkpoint under the name of an asset's file and make the registry expect its digest."""
    record = asset_record(name)
    path = folder / record.files[0].name
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)
    file = replace(record.files[0], sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    made = replace(record, files=(file,))
    monkeypatch.setitem(registry._BY_NAME, name, made)
    return made


@pytest.mark.parametrize("place", ["mirror", "cache/models"])
def test_lpips_takes_the_weights_of_both_files_from_mirror_or_cache(
    folders: Path, place: str, monkeypatch: Monkeypatch
) -> None:
    of_lpips, vgg, heads = _vgg_and_heads()
    _save("vgg16", folders / place, vgg, monkeypatch)
    _save("lpips_vgg", folders / place, heads, monkeypatch)
    network = perceptual_network(PerceptualConfig())
    assert network is not None
    image, target = torch.rand(2, 1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2.0 - 1.0
    assert network(image, target).item() == pytest.approx(2.0 * of_lpips(image, target).item(), rel=1e-5)


def test_a_file_with_another_digest_is_refused_with_both(folders: Path, monkeypatch: Monkeypatch) -> None:
    _, vgg, heads = _vgg_and_heads()
    _save("vgg16", folders / "mirror", vgg, monkeypatch)
    made = _save("lpips_vgg", folders / "mirror", heads, monkeypatch)
    torch.save({"other": torch.ones(1)}, folders / "mirror" / made.files[0].name)
    with pytest.raises(
        AssetError, match=rf"lpips_vgg\.pth: sha256 is [0-9a-f]{{64}} .*has {made.files[0].sha256}"
    ) as caught:
        perceptual_network(PerceptualConfig())
    assert isinstance(caught.value.__cause__, WrongAssetError)


class _Program:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, ("never",)


def test_a_file_that_holds_a_program_is_refused_unread(folders: Path, monkeypatch: Monkeypatch) -> None:
    _save("vgg16", folders / "mirror", {"a": _Program()}, monkeypatch)
    _save("lpips_vgg", folders / "mirror", {}, monkeypatch)
    with pytest.raises(AssetError, match="nothing in it was run") as caught:
        perceptual_network(PerceptualConfig())
    assert isinstance(caught.value.__cause__, UnsafeAssetError)


@pytest.mark.usefixtures("folders")
def test_lpips_without_its_weights_says_what_is_missing_where_and_how_to_go_on() -> None:
    with pytest.raises(AssetError) as caught:
        perceptual_network(PerceptualConfig())
    message = str(caught.value)
    for part in (
        *("vgg16-397923af.pth", "https://download.pytorch.org/models/vgg16-397923af.pth", "553.4 MB", "lpips_vgg.pth"),
        *("GAIA_MODELS", "mirror", "gaia-curate models pull vgg16 lpips_vgg", "--set perceptual.network=random_vgg"),
    ):
        assert part in message
    assert "--preset" not in message


def test_networks_without_files_need_none(monkeypatch: Monkeypatch) -> None:
    monkeypatch.setattr("foundation.weights.store.search_folders", list)
    assert perceptual_network(PerceptualConfig(network="none")) is None
    first, second = (perceptual_network(PerceptualConfig(network="random_vgg")) for _ in range(2))
    assert isinstance(first, Lpips)
    assert isinstance(second, Lpips)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_digests_agree_with_what_publishers_say() -> None:
    """torchvision names a file by the first eight digits of its digest."""
    assert asset_names("training") == ("vgg16", "lpips_vgg")
    (file,) = asset_record("vgg16").files
    assert file.sha256.startswith(file.name.removesuffix(".pth").rpartition("-")[2])
    assert all(asset_record(name).is_pinned for name in asset_names("training"))
