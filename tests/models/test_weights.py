import dataclasses
import json
from pathlib import Path
from typing import BinaryIO

import pytest
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from models import weights
from models.vae.discriminator import DISCRIMINATORS, Discriminator, DiscriminatorConfig
from models.vae.vae import VAE_SIZES, Vae, VaeConfig
from models.weights import WeightFacts, WeightsError, load_weights, read_facts, save_tensors, save_weights

CONFIG = dataclasses.replace(VAE_SIZES["tiny"], image_px=32)
FACTS = WeightFacts(landmark_scheme="mediapipe478", speech_encoder=None)


@pytest.fixture
def vae() -> Vae:
    torch.manual_seed(0)
    built = Vae(CONFIG)
    built.latent_statistics.measure(torch.randn(4, 3, 2, 2))
    return built.eval()


@pytest.fixture
def exported(vae: Vae, tmp_path: Path) -> Path:
    path = tmp_path / "run" / "vae.safetensors"
    save_weights(path, vae, CONFIG, FACTS)
    return path


def test_a_network_that_was_saved_and_loaded_gives_the_same_bits(vae: Vae, exported: Path) -> None:
    loaded = load_weights(exported, Vae, VaeConfig, FACTS)
    image, landmarks = torch.randn(2, 3, 32, 32), torch.randn(2, 3, 32, 32)
    assert loaded.config == CONFIG
    assert not loaded.training
    ours, theirs = vae(image, landmarks, None), loaded(image, landmarks, None)
    assert torch.equal(ours.image_BCHW, theirs.image_BCHW)
    assert torch.equal(ours.motion.logvar_BCHW, theirs.motion.logvar_BCHW)
    z = ours.motion.mean_BCHW
    assert torch.equal(vae.latent_statistics.standardise(z), loaded.latent_statistics.standardise(z))


def test_types_of_tensors_are_kept(vae: Vae, tmp_path: Path) -> None:
    path = tmp_path / "vae.safetensors"
    save_weights(path, vae.bfloat16(), CONFIG, FACTS)
    with safetensors.safe_open(path, framework="pt") as opened:
        assert opened.get_tensor("decoder.image.weight").dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=["float16", "bfloat16"])
def test_weights_in_half_precision_are_loaded_as_float32(vae: Vae, tmp_path: Path, dtype: torch.dtype) -> None:
    statistics = {name for name, buffer in vae.named_buffers() if buffer.dtype == torch.float64}
    halved = {name: tensor.to(dtype) for name, tensor in vae.state_dict().items() if name not in statistics}
    save_tensors(tmp_path / "vae.safetensors", vae.state_dict() | halved, CONFIG, FACTS)
    loaded = load_weights(tmp_path / "vae.safetensors", Vae, VaeConfig, FACTS)
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    vae.load_state_dict(vae.state_dict() | halved)
    image, landmarks = torch.randn(2, 3, 32, 32), torch.randn(2, 3, 32, 32)
    assert torch.equal(loaded(image, landmarks, None).image_BCHW, vae(image, landmarks, None).image_BCHW)


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        (
            WeightFacts(landmark_scheme="ibug68", speech_encoder=None),
            r"landmark scheme 'mediapipe478'.* it is 'ibug68'",
        ),
        (
            WeightFacts(landmark_scheme="mediapipe478", speech_encoder="whisper-tiny.en"),
            "speech encoder None.* it is 'whisper-tiny.en'",
        ),
    ],
)
def test_weights_for_other_landmarks_or_speech_are_refused_naming_both(
    exported: Path, expected: WeightFacts, message: str
) -> None:
    with pytest.raises(WeightsError, match=message) as caught:
        load_weights(exported, Vae, VaeConfig, expected)
    assert str(exported) in str(caught.value)


def test_what_weights_were_trained_on_can_be_read_before_a_detector_is_chosen(exported: Path) -> None:
    assert read_facts(exported) == FACTS


def test_a_file_of_another_network_is_refused_naming_both(exported: Path) -> None:
    with pytest.raises(WeightsError, match="a network of VaeConfig, not of DiscriminatorConfig"):
        load_weights(exported, Discriminator, DiscriminatorConfig, FACTS)


def _rewritten(path: Path, config: dict[str, object] | None = None, **metadata: str) -> Path:
    with safetensors.safe_open(path, framework="pt") as opened:
        old: dict[str, str] = opened.metadata()
    if config is not None:
        metadata["config"] = json.dumps(
            {k: v for k, v in {**json.loads(old["config"]), **config}.items() if v != "drop"}
        )
    safetensors.torch.save_file(safetensors.torch.load_file(path), path, {**old, **metadata})
    return path


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"width": "drop"}, r"config: setting 'width' is missing"),
        ({"depth": 3}, r"config: setting 'depth' is unknown"),
        ({"groups": 5}, "config: VaeConfig: .*does not divide"),
        ({"width": 32}, "size mismatch"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(exported: Path, config: dict[str, object], message: str) -> None:
    with pytest.raises(WeightsError, match=f"(?s){message}"):
        load_weights(_rewritten(exported, config), Vae, VaeConfig, FACTS)


def test_files_that_are_no_weights_are_refused(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_facts(tmp_path / "none.safetensors")
    with pytest.raises(WeightsError, match="format 'gaia-weights-0', not 'gaia-weights-1'"):
        read_facts(_rewritten(exported, format="gaia-weights-0"))
    exported.write_bytes(exported.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="no complete safetensors file"):
        read_facts(exported)
    pickled = tmp_path / "weights.pt"
    torch.save({"a": torch.zeros(1)}, pickled)
    with pytest.raises(WeightsError, match="no complete safetensors file"):
        read_facts(pickled)


def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(
    vae: Vae, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = exported.read_bytes()

    def half_a_file(stream: BinaryIO, _tensors: dict[str, Tensor], _metadata: dict[str, str]) -> None:
        stream.write(b"half of a file")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(weights, "write_tensors", half_a_file)
    with pytest.raises(OSError, match="No space"):
        save_weights(exported, vae, CONFIG, FACTS)
    assert exported.read_bytes() == before
    assert list(exported.parent.iterdir()) == [exported]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Inner:
    sizes: tuple[int, ...] = (1, 2)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Outer:
    inner: _Inner = dataclasses.field(default_factory=_Inner)
    other: _Inner | None = None
    nothing: _Inner | None = None
    rate: float = 0.1
    name: str | None = "a"


class _Named(nn.Module):
    def __init__(self, config: _Outer) -> None:
        super().__init__()
        self.config = config
        self.weight = nn.Parameter(torch.zeros(1))


def test_nested_configs_come_back_as_they_were(tmp_path: Path) -> None:
    config = _Outer(other=_Inner(sizes=()), rate=1 / 3, name=None)
    save_weights(tmp_path / "w.safetensors", _Named(config), config, FACTS)
    loaded = load_weights(tmp_path / "w.safetensors", _Named, _Outer, FACTS)
    assert loaded.config == config
    with pytest.raises(TypeError, match="give the dataclass"):
        save_weights(tmp_path / "w.safetensors", loaded, {"rate": 0.1}, FACTS)


def test_the_discriminator_has_the_parameters_of_the_previous_works() -> None:
    with torch.device("meta"):
        counts = {
            name: sum(p.numel() for p in Discriminator(config).parameters()) for name, config in DISCRIMINATORS.items()
        }
    # Isola et al.: convolutions 4x4 from 3 to 64, 128, 256, 512, 1; bias in first and last; norms have two a channel
    by_hand = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512) + 64 + 1 + 2 * (128 + 256 + 512)
    assert counts["patch"] == counts["patch_batch_norm"] == by_hand
    assert by_hand / 1e6 == pytest.approx(2.77, rel=0.005)
