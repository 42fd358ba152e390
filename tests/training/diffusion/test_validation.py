import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import Tensor

from models.motion.config import MotionDiffusionConfig, PoseConfig
from models.motion.inputs import Dropped, MotionInputs
from models.motion.speech_encoder import SpeechEncoderConfig
from models.vae.vae import Vae, VaeConfig
from models.weights import WeightFacts, save_weights
from training.data.clips import ClipError
from training.data.randomness import draw_share, torch_generator
from training.data.selection import DataConfig, select_clips
from training.diffusion.config import DiffusionConfig
from training.diffusion.sequences import Excerpt, MotionSequences, SequenceConfig
from training.diffusion.task import DiffusionTask
from training.latents.encode import write_latents
from training.loop.config import TrainConfig
from training.loop.parallel import Ranks
from training.loop.validation.held_out_metrics import ValidationPass, measured

VAE = VaeConfig(width=4, n_layers=1, multipliers=(1, 1, 1, 1), groups=2, image_px=64)
MODEL = MotionDiffusionConfig(
    width=64,
    layers=1,
    ffn_width=64,
    dropout=0.0,
    speech_encoder=SpeechEncoderConfig(width=64, layers=1, ffn_width=64),
    pose=PoseConfig(width=16),
)
CONFIG = DiffusionConfig(
    model=MODEL,
    train=TrainConfig(steps=10, batch=2, micro_batch=2, seed=5),
    sequences=SequenceConfig(min_frames=75, max_frames=100, allow_short=True),
)
CPU = torch.device("cpu")
WHERE = ValidationPass(device=CPU, bf16=False)


@dataclass(frozen=True)
class Encoded:
    dataset: Path
    vae: Path


@pytest.fixture(scope="module")
def encoded(make_clips: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Encoded:
    """One clip to learn from; of split val three people with 80, 90 and 130 frames."""
    folder = tmp_path_factory.mktemp("encoded")
    val = [{"video": name, "n_frames": n, "split": "val"} for name, n in (("c", 80), ("d", 90), ("e", 130))]
    dataset = make_clips(folder / "dataset", {"video": "a", "n_frames": 80}, *val)
    torch.manual_seed(0)
    save_weights(folder / "vae", Vae(VAE), VAE, WeightFacts(landmark_scheme="ibug68", speech_encoder=None))
    index = select_clips(dataset, DataConfig(tiers=("diffusion",), splits=("train", "val")))
    write_latents(index, folder / "vae", ranks=Ranks(device=CPU), on_clip=lambda: None)
    return Encoded(dataset, folder / "vae")


def _task(encoded: Encoded, config: DiffusionConfig = CONFIG) -> DiffusionTask:
    torch.manual_seed(1)
    task = DiffusionTask(encoded.dataset, encoded.vae, config)
    torch.nn.init.normal_(task.model.output.weight, std=0.1)  # zeros would hide the speech
    task.model.eval()
    return task


def _measured(task: DiffusionTask) -> dict[str, float]:
    validation = task.validation()
    assert validation is not None
    with torch.no_grad():
        return measured(validation, WHERE, Ranks(device=CPU))


@pytest.mark.parametrize(("target", "default"), [("motion_latent", "motion_error"), ("landmarks", "speech_gain")])
def test_the_best_network_of_landmarks_is_the_one_that_uses_the_speech_most(
    encoded: Encoded, target: Literal["motion_latent", "landmarks"], default: str
) -> None:
    validation = _task(encoded, replace(CONFIG, model=replace(MODEL, target=target))).validation()
    assert validation is not None
    assert next(iter(validation.metrics)) == default


def test_errors_are_those_of_equation_8_with_each_speech_written_out(encoded: Encoded) -> None:
    """Clip by clip, without padding: at four times each, with its own speech and with that of the next person."""
    task = _task(encoded)
    values = _measured(task)
    index = select_clips(encoded.dataset, DataConfig(tiers=("diffusion",), splits=("val",)))
    sequences = MotionSequences(index, task.latents, CONFIG.sequences, seed=0)
    validation = task.validation()
    assert validation is not None
    order = [excerpt.clip for excerpt in validation._excerpts]
    assert sorted(order) == [0, 1, 2]
    clips = [sequences.sequence(Excerpt(clip, 0, min(100, int(index.n_frames[clip])), 0)) for clip in order]
    squares: dict[str, list[float]] = {"": [], "_shuffled": []}
    poses: dict[str, list[float]] = {"": [], "_shuffled": []}
    n_values = n_angles = 0
    for place, (clip, sequence) in enumerate(zip(order, clips, strict=True)):
        n_frames, name = len(sequence.target_TD), index.row(clip).clip_id
        n_values += 4 * sequence.target_TD.numel()
        n_angles += 3 * n_frames
        other = clips[(place + 1) % 3].speech_TF
        for kind, speech in (("", sequence.speech_TF), ("_shuffled", torch.cat([other, other])[:n_frames])):
            inputs = MotionInputs(
                mask_BT=torch.ones(1, n_frames, dtype=torch.bool),
                reference_BD=sequence.reference_D[None],
                speech_BTF=speech[None],
                pose_deg_BTP=sequence.pose_deg_TP[None],
            )
            for k in range(4):
                noise = torch.randn(100, 48, generator=torch_generator("validation noise", name, k))[:n_frames]
                share = (k + draw_share("validation", name, k)) / 4
                time = torch.tensor([1e-5 + (1.0 - 1e-5) * share])
                assert task.sde.train_t_min == 1e-5
                noisy = task.sde.alpha(time) * sequence.target_TD + task.sde.sigma(time) * noise
                with torch.no_grad():
                    made = task.model(noisy[None], time, inputs, Dropped())
                squares[kind].append(float((made.target_BTD[0] - sequence.target_TD).square().sum()))
            true_pose = task.model.standardised_pose(sequence.pose_deg_TP)
            poses[kind].append(float((made.pose_BTP[0] - true_pose).square().sum()))
    assert sequences.facts.latent_shape == (3, 4, 4)
    for kind, errors in squares.items():
        assert values[f"motion_error{kind}"] == pytest.approx(sum(errors) / n_values, rel=1e-4)
        assert values[f"pose_error{kind}"] == pytest.approx(sum(poses[kind]) / n_angles, rel=1e-4)
    assert values["motion_error"] != values["motion_error_shuffled"]
    assert values["speech_gain"] == pytest.approx(1.0 - sum(squares[""]) / sum(squares["_shuffled"]), rel=1e-3)


def test_network_that_does_not_hear_gains_nothing(encoded: Encoded, monkeypatch: pytest.MonkeyPatch) -> None:
    task = _task(encoded)
    encode = type(task.model).encode

    def deaf(model: object, inputs: MotionInputs) -> object:
        assert inputs.speech_BTF is not None
        return encode(model, inputs._replace(speech_BTF=torch.zeros_like(inputs.speech_BTF)))  # type: ignore[arg-type]

    monkeypatch.setattr(type(task.model), "encode", deaf)
    values = _measured(task)
    assert values["speech_gain"] == 0.0
    assert values["motion_error"] == values["motion_error_shuffled"]


def test_network_that_knows_the_motion_has_no_error(encoded: Encoded, monkeypatch: pytest.MonkeyPatch) -> None:
    task = _task(encoded)
    truth: list[Tensor] = []
    diffuse = type(task.sde).diffuse

    def seen(sde: object, target: Tensor, time: Tensor, noise: Tensor) -> Tensor:
        truth[:] = [target]
        return diffuse(sde, target, time, noise)  # type: ignore[arg-type]

    monkeypatch.setattr(type(task.sde), "diffuse", seen)
    monkeypatch.setattr(type(task.model), "denoise", lambda *_: truth[0])
    values = _measured(task)
    assert values["motion_error"] == values["motion_error_shuffled"] == 0.0
    assert "speech_gain" not in values
    monkeypatch.setattr(type(task.model), "denoise", lambda *_: truth[0] + 2.0)
    assert _measured(task)["motion_error"] == pytest.approx(4.0, rel=1e-5)


def test_validation_draws_nothing_from_the_generator_of_training(encoded: Encoded) -> None:
    task = _task(encoded)
    torch.manual_seed(3)
    before, state = _measured(task), torch.get_rng_state()
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(4)
    assert _measured(task) == before
    # other seeds of a run validate on the same
    other = _task(encoded, replace(CONFIG, train=replace(CONFIG.train, seed=9)))
    other.model.load_state_dict(task.model.state_dict())
    assert _measured(other) == before


def test_clip_that_cannot_be_read_is_left_out(encoded: Encoded, monkeypatch: pytest.MonkeyPatch) -> None:
    task = _task(encoded)
    whole = MotionSequences.sequence

    def damaged(*_: object) -> object:
        raise ClipError("c-1: made up")

    monkeypatch.setattr(MotionSequences, "sequence", damaged)
    assert _measured(task) == {}
    lacking = {2}
    monkeypatch.setattr(
        MotionSequences,
        "sequence",
        lambda sequences, excerpt: damaged() if excerpt.clip in lacking else whole(sequences, excerpt),
    )
    # of three in a ring, the one that needs its speech is left out as well
    validation = task.validation()
    assert validation is not None
    with torch.no_grad():
        sums = [validation.sums(number, WHERE) for number in range(len(validation))]
    assert len([one for one in sums if one]) == 1


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("video_id = 'a' or video_id = 'c'", "split 'val' has one clip of a person"),
        ("video_id = 'a'", "nothing is validated: .*has no clips of split 'val'|none of 3 clips fulfils data.where"),
    ],
)
def test_too_few_other_people_are_told(where: str, said: str, encoded: Encoded) -> None:
    config = replace(CONFIG, data=replace(CONFIG.data, where=where))
    task = _task(encoded, config)
    assert task.validation() is None
    (note,) = task.notes()
    assert re.search(said, note)


def test_clips_without_latents_are_told(encoded: Encoded, make_clips: Callable[..., Path], tmp_path: Path) -> None:
    val = [{"video": name, "n_frames": 80, "split": "val"} for name in "cd"]
    dataset = make_clips(tmp_path / "dataset", {"video": "a", "n_frames": 80}, *val)
    index = select_clips(dataset, DataConfig(tiers=("diffusion",)))
    write_latents(index, encoded.vae, ranks=Ranks(device=CPU), on_clip=lambda: None)
    task = _task(Encoded(dataset, encoded.vae))
    assert task.validation() is None
    (note,) = task.notes()
    assert note.startswith("nothing is validated: ")
    assert "no latents of 2 of 2 clips" in note
    assert "gaia-train latents" in note
