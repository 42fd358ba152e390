"""Videos of an instruction: what the text changes, and what a run or an option that does not suit it is told."""

import json
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from helpers.tiny_clip import write_tiny_clip
from typer.testing import CliRunner

from foundation.errors import EXIT_CANNOT_START, EXIT_USAGE
from generation import GenerationError, talking_video
from generation.cli import app
from models.text_encoder import TextEncoderError, name_of_text_encoder


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_clip(tmp_path_factory.mktemp("models") / "tiny-clip")


@pytest.fixture(scope="module")
def text_run(made_run: Callable[..., Path], clip: Path) -> Path:
    return made_run(text=True, speech_encoder=name_of_text_encoder(str(clip))[0])


def pictures(path: Path) -> list[bytes]:
    with av.open(str(path)) as video:
        assert not video.streams.audio
        return [frame.to_ndarray(format="rgb24").tobytes() for frame in video.decode(video=0)]


def test_another_text_is_another_motion_and_no_text_is_that_of_no_guidance(
    text_run: Path, portrait: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAIA_MODELS", str(clip.parent))  # found by its recorded name
    made = {}
    for name, text, guidance in [
        ("smile", "smile", None),
        ("again", " smile ", None),
        ("weight", "smile", 2.5),
        ("nod", "nod", None),
        ("none", "", None),
        ("unguided", "nod", 0.0),
    ]:
        out = tmp_path / f"{name}.mp4"
        result = talking_video(
            text_run, portrait=portrait, out=out, text=text, guidance=guidance, seconds=1.0, steps=3,
            no_mark="pictures are compared", device="cpu",
        )  # fmt: skip
        assert result.n_frames == 25
        made[name] = pictures(out)
        assert len(made[name]) == 25
    assert made["smile"] == made["again"] == made["weight"]
    assert made["smile"] != made["nod"]
    assert made["none"] == made["unguided"]
    assert made["none"] not in (made["smile"], made["nod"])
    with av.open(str(tmp_path / "nod.mp4")) as video:
        facts = json.loads(video.metadata["description"])
    assert (facts["text"], facts["seed"], facts["sampling"]["guidance"]) == ("nod", 0, 2.5)


def test_the_text_encoder_is_the_one_of_the_training(
    text_run: Path, portrait: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GAIA_MODELS", raising=False)
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out.mp4"
    arguments = ["--run", str(text_run), "--portrait", str(portrait), "--out", str(out), "--device", "cpu"]
    result = CliRunner().invoke(app, [*arguments, "--text", "smile"])
    assert result.exit_code == EXIT_CANNOT_START
    assert "trained with the text encoder clip:tiny-clip@" in result.output
    assert "--text-encoder" in result.output
    other = str(write_tiny_clip(tmp_path / "models" / "other", seed=1))
    with pytest.raises(GenerationError, match="give the folder of the former with --text-encoder"):
        talking_video(text_run, portrait=portrait, out=out, text="smile", text_encoder=other, device="cpu")
    with pytest.raises(TextEncoderError, match="hf download openai/clip-vit-large-patch14"):
        talking_video(text_run, portrait=portrait, out=out, text="smile", text_encoder="no_such", device="cpu")
    assert not out.exists()
    result = CliRunner().invoke(
        app, [*arguments, "--text", "smile", "--text-encoder", str(clip), "--seconds", "1", "--dry-run"]
    )
    assert result.exit_code == 0, result.output
    assert "text: 'smile', 25 frames" in result.output


def test_a_run_that_was_not_trained_for_text_names_the_commands_that_train_one(
    diffusion_run: Path, text_run: Path, portrait: Path, speech: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    with pytest.raises(GenerationError, match=r"gaia-train texts DATASET .*--set model\.condition=text"):
        talking_video(diffusion_run, portrait=portrait, out=out, text="smile", device="cpu")
    with pytest.raises(GenerationError, match="was trained on instructions, which speech cannot replace"):
        talking_video(text_run, portrait=portrait, out=out, speech=speech, device="cpu")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--text", "smile", "--speech", "a.wav"], "both --speech and --text"),
        (["--text", "smile", "--pose", "still"], "takes no head poses"),
        (["--text", "smile", "--seconds", "0.5"], "--seconds is 0.5; give 1 to 10"),
        (["--text", "smile", "--seconds", "nan"], "--seconds is nan"),
        (["--text", "x" * 501], "cannot be an instruction"),
        (["--speech", "a.wav", "--seconds", "5"], "--text-encoder and --seconds go with --text"),
        ([], "neither --speech nor --driving nor --text"),
    ],
)
def test_options_that_do_not_go_together_are_refused_before_anything_is_read(options: list[str], said: str) -> None:
    result = CliRunner().invoke(app, ["--run", "no", "--portrait", "no.png", "--out", "out.mp4", *options])
    assert result.exit_code == EXIT_USAGE
    assert said in result.output
