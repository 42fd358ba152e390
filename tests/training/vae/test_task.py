from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.small_vae import SMALL_VAE
from torch import Tensor, nn

from foundation.settings import SettingsError
from manifests.record import read_dataset
from models.pixels import to_float
from models.weights import WeightFacts
from training.data.order import SampleKey
from training.loop.loop import TrainError
from training.loop.parallel import Ranks
from training.loop.task import Step
from training.vae.config import VaeTrainingConfig, vae_config
from training.vae.loss import VaeLossConfig
from training.vae.perceptual import PerceptualConfig
from training.vae.samples import VaeBatch, collate_pairs
from training.vae.task import VaeTask

CPU = torch.device("cpu")
WITHOUT_GAN = replace(SMALL_VAE, loss=VaeLossConfig(gan_start_step=100, kl_weight=1.0))
WITH_GAN = replace(SMALL_VAE, loss=VaeLossConfig(gan_start_step=0, kl_weight=1.0))


@pytest.fixture(scope="module")
def dataset(make_clips: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    clips = [{"video": name, "n_frames": n} for name, n in (("a", 40), ("b", 30))]
    val = {"video": "c", "n_frames": 20, "split": "val"}
    return make_clips(tmp_path_factory.mktemp("data") / "dataset", *clips, val)


def _task(dataset: Path, config: VaeTrainingConfig = WITHOUT_GAN) -> VaeTask:
    torch.manual_seed(1)
    return VaeTask(dataset, config)


def _keys(*items: int) -> list[SampleKey]:
    return [SampleKey(0, item, 0) for item in items]


def _step(task: VaeTask, groups: list[list[SampleKey]], number: int = 0) -> Step[VaeBatch]:
    batches = [task.source.batch(keys) for keys in groups]
    return Step(number=number, batches=batches, ranks=Ranks(device=CPU), networks=(), bf16=False)


def _gradients(network: nn.Module) -> Tensor:
    """All of them in one vector; they are taken off the network."""
    flat = torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])
    network.zero_grad()
    return flat


def test_four_passes_of_one_pair_give_the_gradients_of_one_pass_of_four(dataset: Path) -> None:
    task = _task(dataset)
    said = task.backward(_step(task, [_keys(1, 20, 40, 60)]))
    at_once = _gradients(task.vae)
    one_by_one = task.backward(_step(task, [_keys(item) for item in (1, 20, 40, 60)]))
    assert (_gradients(task.vae) - at_once).norm() < 1e-5 * at_once.norm()
    for name in ("reconstruction", "kl_appearance", "kl_motion"):
        assert float(one_by_one[name]) == pytest.approx(float(said[name]), rel=1e-6)


def test_the_gradients_are_those_of_equation_4_written_out(dataset: Path) -> None:
    task = _task(dataset)
    batch = task.source.batch(_keys(3, 50))
    task.backward(_step(task, [_keys(3, 50)]))
    ours = _gradients(task.vae)
    pairs = batch.pairs
    landmarks = task.renderer(pairs.landmarks_BK2, pairs.valid_BK)
    output = task.vae(to_float(pairs.image_i_BCHW), landmarks, batch.noise)
    loss = (output.image_BCHW - to_float(pairs.image_j_BCHW)).abs().sum() / 2
    for posterior in (output.appearance, output.motion):
        mean, logvar = posterior.mean_BCHW, posterior.logvar_BCHW
        loss = loss + 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum() / 2
    loss.backward()
    expected = _gradients(task.vae)
    assert (ours - expected).norm() < 1e-5 * expected.norm()


def test_the_perceptual_distance_counts_as_often_as_a_picture_has_values(dataset: Path) -> None:
    task = _task(dataset, replace(WITHOUT_GAN, perceptual=PerceptualConfig(network="random_vgg")))
    said = task.backward(_step(task, [_keys(3, 50)]))
    without = _task(dataset).backward(_step(task, [_keys(3, 50)]))
    assert float(said["perceptual"]) > 0.01
    added = float(said["reconstruction"] - without["reconstruction"])
    assert added == pytest.approx(3 * 32 * 32 * float(said["perceptual"]), rel=1e-4)
    perceptual = task.frozen()[1]
    assert all(parameter.grad is None for parameter in perceptual.parameters())


def test_both_networks_learn_once_the_gan_has_begun_and_the_log_says_how(dataset: Path) -> None:
    task = _task(dataset, SMALL_VAE)
    before = task.backward(_step(task, [_keys(3, 50)], number=2))
    assert all(parameter.grad is None for parameter in task.discriminator.parameters())
    assert not {"gan_factor", "real_logit"} & before.keys()
    after = task.backward(_step(task, [_keys(3, 50)], number=3))
    assert _gradients(task.discriminator).norm() > 0.0
    gan = {"gan", "gan_factor", "bad_gan_factors", "discriminator", "real_logit", "fake_logit"}
    latents = {f"{what}/{name}" for what in ("latent_std", "collapsed") for name in ("appearance", "motion")}
    nats = {f"nats/{name}_{channel}" for name in ("appearance", "motion") for channel in range(3)}
    losses = {"reconstruction", "perceptual", "kl_appearance", "kl_motion"}
    assert after.keys() == gan | latents | nats | losses
    # nats per dimension of three channels, times their dimensions, are the divergence
    assert sum(float(after[f"nats/appearance_{c}"]) for c in range(3)) * 64 == pytest.approx(
        float(after["kl_appearance"]), rel=1e-4
    )


def test_factors_that_are_no_numbers_end_the_run_when_they_do_not_cease(dataset: Path) -> None:
    train = replace(WITH_GAN.train, max_bad_share=1.0)
    task = _task(dataset, replace(WITH_GAN, max_bad_factors=2, train=train))
    good = {name: tensor.clone() for name, tensor in task.discriminator.state_dict().items()}
    bad = {name: torch.full_like(tensor, float("nan")) for name, tensor in good.items()}
    for state in (bad, good, bad):  # never two in a row
        task.discriminator.load_state_dict(state)
        said = task.backward(_step(task, [_keys(3, 50)]))
        assert float(said["bad_gan_factors"]) == float(state is bad)
    with pytest.raises(TrainError, match=r"not finite in 2 steps in a row.*--accept-changes"):
        task.backward(_step(task, [_keys(3, 50)]))


def test_factors_that_are_no_numbers_in_many_steps_end_the_run_though_others_lie_between(dataset: Path) -> None:
    task = _task(dataset, replace(WITH_GAN, max_bad_factors=2))
    good = {name: tensor.clone() for name, tensor in task.discriminator.state_dict().items()}
    bad = {name: torch.full_like(tensor, float("nan")) for name, tensor in good.items()}
    assert not task.caveats()
    for state in (bad, good):
        task.discriminator.load_state_dict(state)
        task.backward(_step(task, [_keys(3, 50)]))
    (caveat,) = task.caveats()
    assert caveat.startswith("the factor of the GAN loss was not finite in 1 of 2 steps with a GAN")
    task.discriminator.load_state_dict(bad)
    with pytest.raises(TrainError, match=r"not finite in 2 of 3 steps"):
        task.backward(_step(task, [_keys(3, 50)]))


def test_noise_belongs_to_the_sample_and_the_epoch(dataset: Path) -> None:
    source = _task(dataset).source
    together = source.batch(_keys(3, 50)).noise
    alone = source.batch(_keys(50)).noise
    again = source.batch([SampleKey(1, 50, 0)]).noise
    assert torch.equal(together.appearance_BCHW[1], alone.appearance_BCHW[0])
    assert together.motion_BCHW is not None
    assert alone.motion_BCHW is not None
    assert torch.equal(together.motion_BCHW[1], alone.motion_BCHW[0])
    assert not torch.equal(again.appearance_BCHW, alone.appearance_BCHW)


def test_without_disentanglement_a_frame_is_rebuilt_from_itself(dataset: Path) -> None:
    task = _task(dataset, replace(WITHOUT_GAN, model=replace(SMALL_VAE.model, disentangled=False)))
    batch = task.source.batch(_keys(3))
    assert batch.noise.motion_BCHW is None
    said = task.backward(_step(task, [_keys(3)]))
    output = task.vae(to_float(batch.pairs.image_j_BCHW), None, batch.noise)
    off = (output.image_BCHW - to_float(batch.pairs.image_j_BCHW)).abs().sum()
    assert float(said["reconstruction"]) == pytest.approx(float(off.detach()), rel=1e-5)
    assert float(said["kl_motion"]) == 0.0
    assert task.previews().keys() == {"reconstructions"}


def test_pictures_are_of_the_first_frame_with_the_motion_of_the_last_and_of_other_clips(dataset: Path) -> None:
    task = _task(dataset)
    task.vae.eval()
    sheets = task.previews()
    pairs = [task.source.pairs.pair(clip, 0, n_frames - 1) for clip, n_frames in enumerate((40, 30))]
    first, last = (
        [side.permute(1, 2, 0).numpy() for side in sides]
        for sides in zip(*((pair.image_i_CHW, pair.image_j_CHW) for pair in pairs), strict=True)
    )

    def made(appearance: int, motion: int) -> np.ndarray:
        batch = collate_pairs([pairs[appearance]])
        landmarks = task.renderer(pairs[motion].landmarks_K2[None], pairs[motion].valid_K[None])
        with torch.no_grad():
            image = task.vae(to_float(batch.image_i_BCHW), landmarks, None).image_BCHW[0]
        return ((image.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()

    def tile(name: str, row: int, column: int) -> np.ndarray:
        return sheets[name][32 * row : 32 * row + 32, 32 * column : 32 * column + 32].astype(int)

    assert sheets["reconstructions"].shape == (2 * 32, 3 * 32, 3)
    assert sheets["swaps"].shape == (3 * 32, 3 * 32, 3)
    for clip in range(2):
        assert (tile("reconstructions", clip, 0) == first[clip]).all()
        assert (tile("reconstructions", clip, 1) == last[clip]).all()
        assert np.abs(tile("reconstructions", clip, 2) - made(clip, clip)).max() <= 1
        assert (tile("swaps", 1 + clip, 0) == first[clip]).all()
        assert (tile("swaps", 0, 1 + clip) == last[clip]).all()
        for other in range(2):
            assert np.abs(tile("swaps", 1 + clip, 1 + other) - made(clip, other)).max() <= 1


def test_a_clip_that_is_damaged_gives_way_in_the_pictures(make_clips: Callable[..., Path], tmp_path: Path) -> None:
    dataset = make_clips(tmp_path / "dataset", *({"video": name, "n_frames": 20} for name in "abcde"))
    tar = dataset / "media" / "a.tar"
    tar.write_bytes(bytes(tar.stat().st_size))
    sheets = _task(dataset).previews()
    assert sheets["reconstructions"].shape == (4 * 32, 3 * 32, 3)


def test_the_run_folder_says_how_the_data_was_made(dataset: Path, tmp_path: Path) -> None:
    task = _task(dataset)
    task.write_run_files(tmp_path, accept_changes=False)
    assert read_dataset(tmp_path) == read_dataset(dataset)
    export = task.export()
    assert export.facts == WeightFacts(landmark_scheme="ibug68", speech_encoder=None)
    assert task.trainables()[export.network].network is task.vae
    assert "2 clips" in task.data_summary()
    assert "63 pairs of frames an epoch, 7 frames held out" in task.data_summary()


@pytest.mark.parametrize(
    ("preset", "batch", "rates"),
    [
        ("paper", 64, {0: 4.5e-6, 10**6: 4.5e-6}),
        ("recommended", 64, {0: 2.88e-7, 499: 1.44e-4, 999: 2.88e-4, 10**6: 2.88e-4}),
        ("recommended", 512, {999: 3e-4, 10**6: 3e-4}),
    ],
)
def test_learning_rates_of_the_presets(preset: str, batch: int, rates: dict[int, float], dataset: Path) -> None:
    of_preset = vae_config("small", preset)
    config = replace(SMALL_VAE, rate=of_preset.rate, train=replace(of_preset.train, batch=batch))
    task = _task(dataset, config)
    for step, rate in rates.items():
        assert task.learning_rate(step) == pytest.approx(rate, rel=1e-9)
    assert [group["betas"] for optimiser in task.optimisers() for group in optimiser.param_groups] == [(0.5, 0.9)] * 2


def test_presets_differ_in_the_gan_loss_and_the_rate_alone() -> None:
    recommended, paper = (vae_config("base", preset) for preset in ("recommended", "paper"))
    assert (recommended.loss.gan_loss, paper.loss.gan_loss) == ("hinge", "logistic")
    assert recommended.loss.gan_start_step == paper.loss.gan_start_step == 50_000
    assert recommended.perceptual == paper.perceptual == PerceptualConfig(network="lpips_vgg")
    assert replace(paper, loss=recommended.loss, rate=recommended.rate) == recommended
    with pytest.raises(SettingsError, match="size is 'huge'"):
        vae_config("huge")  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "value"), [("held_out_share", 1.0), ("check_pairs", -1), ("max_bad_factors", 0)])
def test_settings_that_make_no_sense_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        replace(SMALL_VAE, **{name: value})
