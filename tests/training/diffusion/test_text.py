"""Training of a motion model that instructions drive: what it reads, what is cached, and what is refused."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.tiny_clip import write_tiny_clip

import training.latents.text_states as states_module
from foundation.settings import SettingsError
from manifests.files.tables import read_table
from manifests.packing.relabel import ClipLabels, relabel_clips
from models.motion.config import MotionDiffusionConfig, PoseConfig
from models.motion.inputs import Dropped
from models.run_folder import RunFolder
from models.text_encoder import TextEncoder, TextEncoderError, name_of_text_encoder
from models.vae.vae import Vae, VaeConfig
from models.weights import WeightFacts, read_facts, save_weights
from training import encode_latents, encode_texts, train_diffusion
from training.data.order import SampleKey
from training.data.selection import SelectionError
from training.diffusion.config import DiffusionConfig, DiffusionLossConfig, SequenceConfig, TextConfig
from training.diffusion.task import DiffusionTask
from training.latents.text_states import TextStatesError, read_text_states
from training.loop.config import TrainConfig

VAE = VaeConfig(width=4, n_layers=1, multipliers=(1, 1, 1, 1), groups=2, image_px=64)
CONFIG = DiffusionConfig(
    model=MotionDiffusionConfig(
        width=64, layers=1, ffn_width=64, dropout=0.0, condition="text", pose=PoseConfig(enabled=False)
    ),
    train=TrainConfig(steps=10, batch=4, micro_batch=4, seed=5, validate_every=None),
    sequences=SequenceConfig(allow_short=True),
)
ASKED = {"a": "smile", "b": "nod", "c": "smile"}
"""By video; the clip of `d` has none."""


@dataclass(frozen=True)
class Asked:
    """A dataset whose clips have instructions and latents, the run of the VAE, and a text encoder."""

    dataset: Path
    vae_run: Path
    clip: Path

    @property
    def vae(self) -> Path:
        return RunFolder(self.vae_run).weights()

    def task(self, config: DiffusionConfig = CONFIG) -> DiffusionTask:
        return DiffusionTask(self.dataset, self.vae, config)


def ask(dataset: Path, texts: dict[str, str]) -> None:
    rows = read_table(dataset, "clips", ["clip_id", "video_id"]).to_pylist()
    found = {row["clip_id"]: texts[row["video_id"]] for row in rows if row["video_id"] in texts}
    relabel_clips(dataset, ClipLabels(instructions=found))


@pytest.fixture(scope="module")
def asked(make_clips: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Asked:
    """Encoded once; read it, never write to it."""
    folder = tmp_path_factory.mktemp("asked")
    clips = [{"video": name, "n_frames": 80, "encoder": None if name == "b" else "made"} for name in "abcd"]
    dataset = make_clips(folder / "dataset", *clips)
    ask(dataset, ASKED)
    torch.manual_seed(0)
    weights = folder / "vae" / "step_00000001" / "export" / "ema.safetensors"
    save_weights(weights, Vae(VAE), VAE, WeightFacts(landmark_scheme="ibug68", speech_encoder=None))
    (folder / "vae" / "latest").write_text("step_00000001\n")
    encode_latents(dataset, folder / "vae", device="cpu")
    clip = write_tiny_clip(folder / "tiny-clip")
    encode_texts(dataset, str(clip), device="cpu")
    return Asked(dataset, folder / "vae", clip)


@pytest.fixture
def copy(asked: Asked, tmp_path: Path) -> Asked:
    """One that a test may change."""
    return replace(asked, dataset=Path(shutil.copytree(asked.dataset, tmp_path / "copy")))


def test_a_sample_has_the_states_of_its_clips_instruction_and_no_speech(asked: Asked) -> None:
    task = asked.task()
    assert len(task.source.sequences.index) == 3  # the clip without an instruction is left out
    batch = task.source.batch([SampleKey(0, item, 0) for item in range(3)])
    assert batch.inputs.speech_BTF is None
    assert batch.inputs.text_BLG is not None
    assert batch.inputs.text_mask_BL is not None
    encoder = TextEncoder(str(asked.clip))
    texts = [task.source.sequences.texts.texts[item] for item in range(3)]  # type: ignore[union-attr]
    assert sorted(texts) == ["nod", "smile", "smile"]
    for item, text in enumerate(texts):
        own = encoder(text)
        assert batch.inputs.text_mask_BL[item].tolist() == [place < len(own) for place in range(7)]
        np.testing.assert_array_equal(batch.inputs.text_BLG[item, : len(own)].numpy(), own)


def test_text_is_missing_from_as_many_samples_as_the_setting_says(asked: Asked) -> None:
    task = asked.task(replace(CONFIG, loss=DiffusionLossConfig(speech_dropout=0.3)))
    keys = [SampleKey(epoch, item, 0) for epoch in range(150) for item in range(len(task.source))]
    text_B = torch.cat([task.source.batch(keys[start : start + 90]).draws.dropped.text_B for start in (0, 90, 180)])  # type: ignore[misc]
    deviation = 3.3 * (0.3 * 0.7 / len(text_B)) ** 0.5  # p = 0.001
    assert float(text_B.float().mean()) == pytest.approx(0.3, abs=deviation)


def test_a_sample_without_text_does_not_depend_on_what_the_text_was(asked: Asked) -> None:
    network = asked.task().model.eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    sequences = asked.task().source.sequences
    n_frames = 5
    noisy_BTD, time_B = torch.randn(1, n_frames, CONFIG.model.target_dims), torch.tensor([0.5])
    made = {}
    for clip, text in enumerate(sequences.texts.texts):  # type: ignore[union-attr]
        sample = sequences[SampleKey(0, clip, 0)]
        first = sequences[SampleKey(0, 0, 0)]
        inputs = first.driven_by(sample).inputs(torch.device("cpu"))
        conditions = network.encode(inputs._replace(mask_BT=torch.ones(1, n_frames, dtype=torch.bool)))
        for name, dropped in (("with", None), ("without", torch.tensor([True]))):
            given = network.drop(conditions, Dropped(text_B=dropped))
            made[text, name] = network.denoise(noisy_BTD, time_B, given)
    assert (made["smile", "with"] - made["nod", "with"]).abs().max() > 1e-3
    torch.testing.assert_close(made["smile", "without"], made["nod", "without"], atol=1e-5, rtol=0.0)


def test_states_are_encoded_once_and_again_for_another_encoder(
    copy: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file,) = (copy.dataset / "text_states").iterdir()
    before = file.stat().st_mtime_ns
    assert "2 instructions, 0 encoded now; 3 clips have one" in str(encode_texts(copy.dataset, str(copy.clip)))
    assert file.stat().st_mtime_ns == before
    encoded: list[str] = []

    class Noting(TextEncoder):
        def __call__(self, text: str) -> np.ndarray:
            encoded.append(text)
            return super().__call__(text)

    monkeypatch.setattr(states_module, "TextEncoder", Noting)
    ask(copy.dataset, {"a": "wink", "b": "nod"})
    with pytest.raises(TextStatesError, match=r"no states of 1 of its instructions by clip:tiny-clip@.*'wink'"):
        copy.task()
    encode_texts(copy.dataset, str(copy.clip))
    assert encoded == ["wink"]
    assert set(read_text_states(copy.dataset, None).by_text) == {"wink", "nod"}  # and those of before are forgotten
    other = write_tiny_clip(tmp_path / "other", seed=1)
    assert encode_texts(copy.dataset, str(other)).encoded == 2
    assert len(list((copy.dataset / "text_states").iterdir())) == 2
    with pytest.raises(TextStatesError, match=r"name the text encoder with --set text\.encoder=FOLDER"):
        copy.task()
    task = copy.task(replace(CONFIG, text=TextConfig(encoder=str(other))))
    assert task.export().facts.speech_encoder == name_of_text_encoder(str(other))[0]


def test_what_is_missing_names_the_command_that_makes_it(copy: Asked, tmp_path: Path) -> None:
    other = write_tiny_clip(tmp_path / "other", seed=1)
    with pytest.raises(TextStatesError, match=f"gaia-train texts {copy.dataset} --encoder {other}"):
        copy.task(replace(CONFIG, text=TextConfig(encoder=str(other))))
    shutil.rmtree(copy.dataset / "text_states")
    with pytest.raises(TextStatesError, match=f"run `gaia-train texts {copy.dataset} --encoder FOLDER`"):
        copy.task()
    with pytest.raises(TextEncoderError, match="hf download"):
        encode_texts(copy.dataset, "no/such-clip")
    ask(copy.dataset, {})
    with pytest.raises(SelectionError, match=f"gaia-curate instructions {copy.dataset} FILE.csv"):
        encode_texts(copy.dataset, str(copy.clip))


@pytest.mark.parametrize("content", [b"", b"PAR1 no table"])
def test_a_damaged_file_of_states_is_named(copy: Asked, content: bytes) -> None:
    (file,) = (copy.dataset / "text_states").iterdir()
    file.write_bytes(content)
    with pytest.raises(TextStatesError, match=f"{file.name} cannot be read"):
        copy.task()


def test_text_without_guidance_is_refused() -> None:
    with pytest.raises(ValueError, match=r"loss\.speech_dropout is 0"):
        replace(CONFIG, loss=DiffusionLossConfig(speech_dropout=0.0))


SETTINGS = {
    "model.condition": "text",
    "model.pose.enabled": False,
    "model.width": 64,
    "model.layers": 1,
    "train.steps": 2,
    "train.batch": 2,
    "train.micro_batch": 2,
    "train.tensorboard": False,
    "check_clips": 3,
}


def test_a_run_records_its_encoder_and_goes_on_with_no_other(copy: Asked, tmp_path: Path) -> None:
    run = tmp_path / "run"
    result = train_diffusion(copy.dataset, copy.vae_run, run, size="tiny", overrides=SETTINGS, device="cpu")
    assert result.steps_done == 2
    name, _ = name_of_text_encoder(str(copy.clip))
    assert read_facts(result.weights).speech_encoder == name
    assert RunFolder(run).record().settings["data"]["with_instruction"] is True  # type: ignore[index, call-overload]
    assert any("driven by another clip" in line for line in result.report)
    shutil.rmtree(copy.dataset / "text_states")
    encode_texts(copy.dataset, str(write_tiny_clip(tmp_path / "other", seed=1)))
    with pytest.raises(SettingsError, match=f"trained on states of text of '{name}', but this dataset has those of"):
        train_diffusion(
            copy.dataset,
            copy.vae_run,
            run,
            size="tiny",
            overrides={**SETTINGS, "train.steps": 3},
            device="cpu",
            accept_changes=True,
        )
