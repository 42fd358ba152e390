import io
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from helpers.received_datasets import rewrite_row
from torch import Tensor

from foundation.settings import SettingsError
from manifests.record import read_dataset
from models.motion.config import MotionDiffusionConfig, PoseConfig
from models.motion.speech_encoder import SpeechEncoderConfig
from models.run_folder import RunFolder, RunFolderError
from models.vae.vae import Vae, VaeConfig
from models.weights import WeightFacts, load_weights, save_weights
from training.data.clips import ClipError
from training.data.order import SampleKey
from training.data.selection import DataConfig, SelectionError, select_clips
from training.diffusion.config import DiffusionConfig, diffusion_config
from training.diffusion.loss import diffusion_loss
from training.diffusion.samples import DiffusionBatch
from training.diffusion.sequences import Excerpt, SequenceConfig
from training.diffusion.task import DiffusionTask
from training.latents.encode import write_latents
from training.latents.files import LatentsError, fingerprint_of, latents_folder, read_facts
from training.loop.config import TrainConfig
from training.loop.loop import train
from training.loop.parallel import Ranks
from training.loop.progress import TrainProgress
from training.loop.task import Step

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
    train=TrainConfig(steps=10, batch=4, micro_batch=4, seed=5),
    sequences=SequenceConfig(allow_short=True),
)
CPU = torch.device("cpu")


def _write_vae(path: Path, seed: int, config: VaeConfig = VAE) -> Path:
    torch.manual_seed(seed)
    save_weights(path, Vae(config), config, WeightFacts(landmark_scheme="ibug68", speech_encoder=None))
    return path


def _encode(dataset: Path, weights: Path) -> None:
    index = select_clips(dataset, DataConfig(tiers=("diffusion",)))
    write_latents(index, weights, ranks=Ranks(device=CPU), on_clip=lambda: None)


@dataclass(frozen=True)
class Encoded:
    """A dataset of clips of 80, 90, 130 and 200 frames with the latents of a VAE."""

    dataset: Path
    vae: Path


@pytest.fixture(scope="module")
def encoded(make_clips: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Encoded:
    folder = tmp_path_factory.mktemp("encoded")
    lengths = {"a": 80, "b": 90, "c": 130, "d": 200}
    dataset = make_clips(folder / "dataset", *({"video": name, "n_frames": n} for name, n in lengths.items()))
    vae = _write_vae(folder / "vae.safetensors", seed=0)
    _encode(dataset, vae)
    return Encoded(dataset, vae)


def _task(encoded: Encoded, config: DiffusionConfig = CONFIG) -> DiffusionTask:
    task = DiffusionTask(encoded.dataset, encoded.vae, config)
    torch.nn.init.normal_(task.model.output.weight, std=0.1)  # zeros would hide most gradients
    return task


@dataclass(frozen=True, kw_only=True, slots=True)
class _RanksWithCounts(Ranks):
    """One of two ranks; the other says `others` when sums are taken."""

    others: int = 0

    def sum(self, value: Tensor) -> Tensor:
        return value + self.others


def _step(task: DiffusionTask, groups: list[list[SampleKey]], ranks: Ranks | None = None) -> Step[DiffusionBatch]:
    return Step(
        number=0,
        batches=[task.source.batch(keys) for keys in groups],
        ranks=ranks or Ranks(device=CPU),
        networks=(),
        bf16=False,
    )


def _gradients(task: DiffusionTask, step: Step[DiffusionBatch]) -> tuple[Tensor, dict[str, float]]:
    task.model.zero_grad()
    said = task.backward(step)
    return torch.cat([p.grad.flatten() for p in task.model.parameters() if p.grad is not None]), {
        name: float(value) for name, value in said.items()
    }


def _train(task: DiffusionTask, run: Path, *, steps: int = 1, accept_changes: bool = False) -> None:
    config = replace(CONFIG.train, steps=steps, workers=0, tensorboard=False, precision="fp32")
    with TrainProgress(io.StringIO()) as progress:
        train(
            task,
            config,
            RunFolder(run),
            Ranks(device=CPU),
            preset="recommended",
            settings={},
            progress=progress,
            accept_changes=accept_changes,
        )


def _keys(task: DiffusionTask) -> list[SampleKey]:
    return [SampleKey(0, item, 0) for item in range(len(task.source))]


def test_four_passes_of_one_give_the_gradients_of_one_pass_of_four_lengths(encoded: Encoded) -> None:
    task = _task(encoded)
    keys = _keys(task)
    lengths = {int(task.source.batch([key]).inputs.mask_BT.sum()) for key in keys}
    assert len(lengths) > 2
    at_once, said_at_once = _gradients(task, _step(task, [keys]))
    assert torch.linalg.vector_norm(at_once) > 0.1
    one_by_one, said_one_by_one = _gradients(task, _step(task, [[key] for key in keys]))
    assert torch.linalg.vector_norm(one_by_one - at_once) < 1e-6 * torch.linalg.vector_norm(at_once)
    assert said_one_by_one == pytest.approx(said_at_once, rel=1e-6)


def test_two_ranks_with_sequences_of_unlike_length_average_to_the_gradients_of_one(encoded: Encoded) -> None:
    task = _task(encoded)
    keys = _keys(task)
    alone, said_alone = _gradients(task, _step(task, [keys]))
    halves = (keys[:1], keys[1:])
    counts = [int(task.source.batch(half).inputs.mask_BT.sum()) for half in halves]
    gradients, said = zip(
        *(
            _gradients(task, _step(task, [half], _RanksWithCounts(size=2, device=CPU, others=others)))
            for half, others in zip(halves, reversed(counts), strict=True)
        ),
        strict=True,
    )
    assert torch.linalg.vector_norm(sum(gradients) / 2 - alone) < 1e-6 * torch.linalg.vector_norm(alone)
    assert (said[0]["motion_loss"] + said[1]["motion_loss"]) / 2 == pytest.approx(said_alone["motion_loss"], rel=1e-6)


def test_the_loss_is_that_of_equation_8_over_the_frames_that_are_no_padding(encoded: Encoded) -> None:
    task = _task(encoded)
    keys = _keys(task)
    _, said = _gradients(task, _step(task, [keys]))
    batch = task.source.batch(keys)
    sums = diffusion_loss(task.model, batch.inputs, batch.target_BTD, batch.draws, task.sde)
    assert said["motion_loss"] + said["pose_loss"] == pytest.approx(float(sums.loss().detach()), rel=1e-6)


def test_draws_belong_to_the_sample_and_not_to_its_batch(encoded: Encoded) -> None:
    task = _task(encoded)
    keys = _keys(task)
    together = task.source.batch(keys).draws
    for row, key in enumerate(keys):
        alone = task.source.batch([key]).draws
        n_frames = min(alone.noise_BTD.shape[1], together.noise_BTD.shape[1])
        assert (together.noise_BTD[row, :n_frames] == alone.noise_BTD[0, :n_frames]).all()
        assert together.time_B[row] == alone.time_B[0]
    again = task.source.batch([SampleKey(1, keys[0].item, 0)]).draws
    assert again.time_B[0] != together.time_B[0]


def test_conditions_are_taken_away_independently_as_often_as_the_settings_say(encoded: Encoded) -> None:
    config = replace(CONFIG, sequences=SequenceConfig(min_frames=75, max_frames=75))
    task = _task(encoded, replace(config, loss=replace(CONFIG.loss, speech_dropout=0.5, reference_dropout=0.2)))
    draws = task.source.batch([SampleKey(epoch, item, 0) for epoch in range(120) for item in range(len(task.source))])
    speech_B, reference_B = draws.draws.dropped.speech_B, draws.draws.dropped.reference_B
    assert speech_B is not None
    assert reference_B is not None
    n = len(speech_B)
    for dropped_B, share in ((speech_B, 0.5), (reference_B, 0.2), (speech_B & reference_B, 0.1)):
        deviation = 3.3 * (share * (1 - share) / n) ** 0.5  # p = 0.001
        assert float(dropped_B.float().mean()) == pytest.approx(share, abs=deviation)


def test_the_network_is_built_for_the_features_and_latents_at_hand(encoded: Encoded) -> None:
    task = _task(encoded)
    assert task.config.model.speech_dim == 4
    assert task.config.model.latent_shape == VAE.motion_shape
    facts = read_facts(latents_folder(encoded.dataset, fingerprint_of(encoded.vae)))
    assert task.model.pose_mean_deg_P.tolist() == pytest.approx(facts.pose_deg.mean)
    assert task.export().facts == WeightFacts(landmark_scheme="ibug68", speech_encoder="made")
    assert task.data_summary().startswith("4 clips, ")


def test_without_latents_the_command_that_makes_them_is_named(encoded: Encoded, tmp_path: Path) -> None:
    other = _write_vae(tmp_path / "other.safetensors", seed=1)
    with pytest.raises(LatentsError, match=f"gaia-train latents {encoded.dataset}"):
        DiffusionTask(encoded.dataset, other, CONFIG)


def test_clips_of_two_speech_encoders_are_refused(make_clips: Callable[..., Path], tmp_path: Path) -> None:
    clips = ({"video": "a", "n_frames": 80}, {"video": "b", "n_frames": 80, "encoder": "other"})
    dataset = make_clips(tmp_path / "dataset", *clips)
    vae = _write_vae(tmp_path / "vae.safetensors", seed=0)
    _encode(dataset, vae)
    with pytest.raises(SelectionError, match="do not share one speech encoder"):
        DiffusionTask(dataset, vae, CONFIG)


def test_frames_are_no_target_of_a_vae_that_has_motion_latents(encoded: Encoded) -> None:
    config = replace(CONFIG, model=replace(MODEL, target="frame_latent"))
    with pytest.raises(SettingsError, match=r"set model\.target=motion_latent"):
        DiffusionTask(encoded.dataset, encoded.vae, config)


def test_the_run_folder_holds_the_vae_with_statistics_and_how_the_data_was_made(
    encoded: Encoded, tmp_path: Path
) -> None:
    task = _task(encoded)
    for _ in range(2):  # as when a run is gone on with
        task.write_run_files(tmp_path / "run", accept_changes=False)
    of_vae = WeightFacts(landmark_scheme="ibug68", speech_encoder=None)
    vae = load_weights(tmp_path / "run" / "vae.safetensors", Vae, VaeConfig, of_vae)
    facts = read_facts(latents_folder(encoded.dataset, fingerprint_of(encoded.vae)))
    assert vae.latent_statistics.std_C.tolist() == pytest.approx(facts.latents.std)
    assert read_dataset(tmp_path / "run") == read_dataset(encoded.dataset)


def test_a_run_does_not_go_on_with_another_vae_or_another_encoders_features(
    encoded: Encoded, make_clips: Callable[..., Path], tmp_path: Path
) -> None:
    _train(_task(encoded), tmp_path / "run")
    copy = Encoded(shutil.copytree(encoded.dataset, tmp_path / "copy"), _write_vae(tmp_path / "v.safetensors", seed=1))
    _encode(copy.dataset, copy.vae)
    begun = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()}
    with pytest.raises(RunFolderError, match=r"data\.latents is of other statistics or another VAE"):
        _train(_task(copy), tmp_path / "run")
    with pytest.raises(SettingsError, match="another VAE"):
        _train(_task(copy), tmp_path / "run", accept_changes=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()} == begun
    lengths = {"a": 80, "b": 90, "c": 130, "d": 200}
    clips = [{"video": name, "n_frames": n, "encoder": "other"} for name, n in lengths.items()]
    heard = Encoded(make_clips(tmp_path / "heard", *clips), encoded.vae)
    _encode(heard.dataset, heard.vae)
    with pytest.raises(
        SettingsError, match=r"ema\.safetensors was trained on speech features of 'made', but .* 'other'"
    ):
        _train(_task(heard), tmp_path / "run", accept_changes=True)


def test_a_run_on_latents_that_have_grown_goes_on_where_that_is_accepted(
    encoded: Encoded, make_clips: Callable[..., Path], tmp_path: Path
) -> None:
    _train(_task(encoded), tmp_path / "run")
    lengths = {"a": 80, "b": 90, "c": 130, "d": 200, "e": 150}
    grown = Encoded(
        make_clips(tmp_path / "grown", *({"video": name, "n_frames": n} for name, n in lengths.items())), encoded.vae
    )
    _encode(grown.dataset, grown.vae)
    with pytest.raises(RunFolderError, match=r"data\.clips is 5, was 4 \(1 came, 0 went, 0 have other content\)"):
        _train(_task(grown), tmp_path / "run", steps=2)
    _train(_task(grown), tmp_path / "run", steps=2, accept_changes=True)
    assert (tmp_path / "run" / "latest").read_text() == "step_00000002\n"
    of_vae = WeightFacts(landmark_scheme="ibug68", speech_encoder=None)
    vae = load_weights(tmp_path / "run" / "vae.safetensors", Vae, VaeConfig, of_vae)
    facts = read_facts(latents_folder(grown.dataset, fingerprint_of(grown.vae)))
    assert vae.latent_statistics.std_C.tolist() == pytest.approx(facts.latents.std)


def test_pictures_show_the_clip_and_what_two_speeches_make_of_it(encoded: Encoded) -> None:
    task = _task(encoded)
    task.model.eval()
    sheet = task.previews()["speech"]
    assert sheet.shape == (3 * 64, 8 * 64, 3)
    rows = sheet.reshape(3, 64, 8 * 64, 3)
    assert (rows[0] != rows[1]).any()
    assert (task.previews()["speech"] == sheet).all()


def test_learning_rates_of_the_presets() -> None:
    recommended, paper = (diffusion_config("base", preset) for preset in ("recommended", "paper"))
    assert (recommended.warmup_rises, paper.warmup_rises) == (True, False)
    assert (recommended.loss.speech_dropout, paper.loss.speech_dropout) == (0.1, 0.0)
    assert (paper.train.batch, paper.train.ema_decay, paper.train.max_gradient_norm) == (512, 0.9999, 1.0)
    with pytest.raises(SettingsError, match="size is 'huge'"):
        diffusion_config("huge")  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "value"), [("learning_rate", 0.0), ("warmup_steps", 0), ("check_clips", -1)])
def test_settings_that_make_no_sense_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        replace(CONFIG, **{name: value})


def test_text_editing_of_latents_and_clips_without_speech_are_refused() -> None:
    with pytest.raises(ValueError, match=r"model\.edit is true with model\.target 'motion_latent'"):
        replace(CONFIG, model=replace(MODEL, edit=True))
    no_pose = replace(MODEL.pose, enabled=False)
    with pytest.raises(ValueError, match=r"model\.condition is 'text'"):
        replace(CONFIG, model=replace(MODEL, condition="text", pose=no_pose))
    with pytest.raises(ValueError, match=r"data\.tiers"):
        replace(CONFIG, data=DataConfig())


@pytest.mark.parametrize(
    "stated",
    [
        {"vae_sha256": "0" * 64},
        {"vae": {"width": 8, "n_layers": 1, "multipliers": [1, 1, 1, 1], "groups": 2, "image_px": 64}},
    ],
)
def test_latents_that_name_another_vae_are_refused(encoded: Encoded, tmp_path: Path, stated: dict[str, object]) -> None:
    dataset = Path(shutil.copytree(encoded.dataset, tmp_path / "dataset"))
    path = latents_folder(dataset, fingerprint_of(encoded.vae)) / "latents.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | stated))
    with pytest.raises(LatentsError, match="names another VAE"):
        DiffusionTask(dataset, encoded.vae, CONFIG)


def test_latents_of_another_length_are_damage(encoded: Encoded, tmp_path: Path) -> None:
    dataset = Path(shutil.copytree(encoded.dataset, tmp_path / "dataset"))
    file = latents_folder(dataset, fingerprint_of(encoded.vae)) / "a.parquet"
    rewrite_row(file, 0, {"latents": [[0.0] * 7] * 80})
    sequences = DiffusionTask(dataset, encoded.vae, CONFIG).source.sequences
    with pytest.raises(ClipError, match="its latents have another shape"):
        sequences.sequence(Excerpt(clip=0, start=0, n_frames=80, reference=0))
