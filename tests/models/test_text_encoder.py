import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.tiny_clip import write_tiny_clip
from transformers import CLIPTextModel, CLIPTokenizer

from models.text_encoder import TextEncoder, TextEncoderError, name_of_text_encoder


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_clip(tmp_path_factory.mktemp("models") / "tiny-clip")


def test_states_are_those_of_transformers_up_to_the_end_of_the_text(clip: Path) -> None:
    tokens = CLIPTokenizer.from_pretrained(clip)(
        ["smile", "turn left"], padding="max_length", max_length=77, return_tensors="pt"
    )
    with torch.no_grad():
        expected = CLIPTextModel.from_pretrained(clip).eval()(**tokens).last_hidden_state
    encoder = TextEncoder(str(clip))
    for number, (text, length) in enumerate([("smile", 7), ("turn left", 10)]):  # letters, begin and end
        states = encoder(text)
        assert states.shape == (length, 768)
        np.testing.assert_allclose(states, expected[number, :length].numpy(), atol=2e-3)


def test_what_is_beyond_77_tokens_is_not_read(clip: Path) -> None:
    assert TextEncoder(str(clip))("a" * 200).shape == (77, 768)


def test_the_name_holds_the_hash_of_weights_and_tokens(clip: Path, tmp_path: Path) -> None:
    name, sha256 = name_of_text_encoder(str(clip))
    assert name == f"clip:tiny-clip@{sha256[:8]}"
    copy = Path(shutil.copytree(clip, tmp_path / "tiny-clip"))
    (copy / "README.md").write_text("other words")
    assert name_of_text_encoder(str(copy)) == (name, sha256)
    tokens = copy / "tokenizer.json"
    tokens.write_text(tokens.read_text() + "\n")
    assert name_of_text_encoder(str(copy))[1] != sha256
    assert name_of_text_encoder(str(write_tiny_clip(tmp_path / "other", seed=1)))[1] != sha256


def test_a_name_is_looked_for_among_the_users_models(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAIA_MODELS", str(tmp_path))
    shutil.copytree(clip, tmp_path / "someone" / "clip")
    assert name_of_text_encoder("someone/clip")[0].startswith("clip:someone/clip@")


@pytest.mark.parametrize("model", ["openai/clip-vit-large-patch14", "no_such_folder", ""])
def test_a_model_that_is_not_there_is_not_downloaded_and_the_message_says_where_it_is(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GAIA_MODELS", raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    if model:
        with pytest.raises(TextEncoderError, match="hf download openai/clip-vit-large-patch14 --local-dir FOLDER"):
            TextEncoder(model)
    else:
        with pytest.raises(TextEncoderError, match=r"lacks config\.json, model\.safetensors, tokenizer\.json"):
            TextEncoder(model)


def test_other_networks_and_widths_are_refused(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(TextEncoderError, match="has states of 384 numbers, and the networks take 768"):
        TextEncoder(str(write_tiny_clip(tmp_path / "narrow", width=384)))
    bare = Path(shutil.copytree(clip, tmp_path / "bare"))
    (bare / "model.safetensors").unlink()
    with pytest.raises(TextEncoderError, match=r"lacks model\.safetensors"):
        TextEncoder(str(bare))
    deeper = Path(shutil.copytree(clip, tmp_path / "deeper"))
    config = json.loads((deeper / "config.json").read_text())
    (deeper / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 2}))
    with pytest.raises(TextEncoderError, match="lacks 16 of the weights"):
        TextEncoder(str(deeper))
