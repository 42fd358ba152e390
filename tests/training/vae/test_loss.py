import dataclasses
import math
from typing import Literal, Protocol

import pytest
import torch
from torch import Tensor, nn

from models.vae.discriminator import DISCRIMINATORS, Discriminator
from models.vae.vae import VAE_SIZES, LatentNoise, Vae, VaeOutput
from training.vae.loss import (
    VAE_LOSSES,
    VaeLossConfig,
    adaptive_weight,
    discriminator_backward,
    discriminator_loss,
    gan_loss,
    generator_backward,
    reconstruction_loss,
)


class Batch(Protocol):
    """Of `FaceBatch` in conftest.py, what is needed here."""

    image_i_B3HW: Tensor
    image_j_B3HW: Tensor
    landmarks_j_B3HW: Tensor


class Faces(Protocol):
    """`ProceduralFaces` in conftest.py, which no module can import."""

    def pairs(self, n: int, seed: int) -> Batch: ...


CONFIG = dataclasses.replace(VAE_SIZES["tiny"], image_px=32)
GAN_ON = VaeLossConfig(gan_start_step=0, kl_weight=1e-2)  # so much KL that a lost term shows


@pytest.fixture
def networks() -> tuple[Vae, Discriminator]:
    torch.manual_seed(0)
    return Vae(CONFIG), Discriminator(DISCRIMINATORS["tiny"])


@pytest.fixture
def batch(procedural_faces: Faces) -> tuple[Tensor, Tensor, Tensor]:
    """Frames i, landmark pictures of frames j, frames j."""
    faces = procedural_faces.pairs(3, seed=5)
    return faces.image_i_B3HW, faces.landmarks_j_B3HW, faces.image_j_B3HW


def _output(vae: Vae, batch: tuple[Tensor, Tensor, Tensor]) -> VaeOutput:
    random = torch.Generator().manual_seed(7)
    noise = LatentNoise(
        torch.randn((3, *CONFIG.appearance_shape), generator=random),
        torch.randn((3, *CONFIG.motion_shape), generator=random),
    )
    output: VaeOutput = vae(batch[0], batch[1], noise)
    return output


def _gradients(network: nn.Module) -> Tensor:
    """All gradients in one vector; they are taken off the network."""
    flat = torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])
    network.zero_grad()
    return flat


def _kl(output: VaeOutput) -> Tensor:
    """By the definition, with the library's own divergence."""
    standard = torch.distributions.Normal(0.0, 1.0)
    posteriors = [output.appearance, output.motion]
    terms = [
        torch.distributions.kl_divergence(torch.distributions.Normal(p.mean_BCHW, (p.logvar_BCHW / 2).exp()), standard)
        for p in posteriors
        if p is not None
    ]
    return sum((term.sum() / 3 for term in terms), start=torch.zeros(()))


@pytest.mark.parametrize("kind", ["hinge", "logistic"])
def test_adaptive_weight_and_all_gradients_equal_those_of_two_passes_through_the_last_layer(
    kind: Literal["hinge", "logistic"], networks: tuple[Vae, Discriminator], batch: tuple[Tensor, Tensor, Tensor]
) -> None:
    """Esser et al. (2021), equation 7, with both gradients taken at the last layer's weights by autograd."""
    vae, discriminator = networks
    last = vae.decoder.image
    output = _output(vae, batch)
    nll = (output.image_BCHW - batch[2]).abs().sum() / 3
    logits = discriminator(output.image_BCHW)
    gan = -logits.mean() if kind == "hinge" else -torch.log(torch.sigmoid(logits)).mean()
    nll_W = torch.autograd.grad(nll, last.weight, retain_graph=True)[0]
    gan_W = torch.autograd.grad(gan, last.weight, retain_graph=True)[0]
    weight = 0.5 * torch.clamp(nll_W.norm() / (gan_W.norm() + 1e-4), 0.0, 1e4)
    (nll + weight.detach() * gan + 1e-2 * _kl(output)).backward()
    expected = _gradients(vae)
    discriminator.zero_grad()

    config = dataclasses.replace(GAN_ON, gan_loss=kind)
    losses = generator_backward(_output(vae, batch), batch[2], last, discriminator, config, step=0)
    assert losses.gan_factor.item() == pytest.approx(weight.item(), rel=1e-5)
    assert losses.reconstruction.item() == pytest.approx(nll.item(), rel=1e-6)
    assert losses.gan.item() == pytest.approx(gan.item(), rel=1e-5)
    assert (losses.kl_appearance + losses.kl_motion).item() == pytest.approx(_kl(output).item(), rel=1e-5)
    assert (_gradients(vae) - expected).norm() < 1e-6 * expected.norm()
    assert all(p.grad is None for p in discriminator.parameters())


def test_a_wrong_factor_would_be_seen_in_the_gradients(
    networks: tuple[Vae, Discriminator], batch: tuple[Tensor, Tensor, Tensor]
) -> None:
    vae, discriminator = networks
    gradients = []
    for gan_weight in (0.5, 0.501):
        config = dataclasses.replace(GAN_ON, gan_weight=gan_weight)
        generator_backward(_output(vae, batch), batch[2], vae.decoder.image, discriminator, config, step=0)
        gradients.append(_gradients(vae))
    assert (gradients[0] - gradients[1]).norm() > 1e-5 * gradients[0].norm()


def test_before_its_start_the_gan_changes_nothing(
    networks: tuple[Vae, Discriminator], batch: tuple[Tensor, Tensor, Tensor]
) -> None:
    vae, discriminator = networks
    config = VaeLossConfig(gan_start_step=10)
    optimiser = torch.optim.Adam(discriminator.parameters(), lr=0.1)
    before = [p.clone() for p in discriminator.parameters()]
    output = _output(vae, batch)
    (reconstruction_loss(output.image_BCHW, batch[2]) + 1e-6 * _kl(output)).backward()
    expected = _gradients(vae)

    output = _output(vae, batch)
    losses = generator_backward(output, batch[2], vae.decoder.image, discriminator, config, step=9)
    assert (_gradients(vae) - expected).norm() < 1e-6 * expected.norm()
    assert losses.gan.item() == losses.gan_factor.item() == 0.0
    assert discriminator_backward(batch[2], output.image_BCHW, discriminator, config, step=9) is None
    optimiser.step()
    assert all(torch.equal(a, b) for a, b in zip(before, discriminator.parameters(), strict=True))

    assert discriminator_backward(batch[2], output.image_BCHW, discriminator, config, step=10) is not None
    optimiser.step()
    assert not torch.equal(before[0], next(discriminator.parameters()))


def test_a_factor_that_is_no_number_counts_as_zero_and_is_reported(
    networks: tuple[Vae, Discriminator], batch: tuple[Tensor, Tensor, Tensor]
) -> None:
    vae, discriminator = networks
    off = VaeLossConfig(kl_weight=1e-2)
    generator_backward(_output(vae, batch), batch[2], vae.decoder.image, discriminator, off, step=0)
    expected = _gradients(vae)
    with torch.no_grad():
        next(discriminator.parameters()).fill_(torch.inf)
    losses = generator_backward(_output(vae, batch), batch[2], vae.decoder.image, discriminator, GAN_ON, step=0)
    assert not losses.gan_factor_is_finite
    assert losses.gan_factor.item() == 0.0
    assert torch.equal(_gradients(vae), expected)


def test_the_adaptive_weight_is_limited_where_the_gan_has_no_gradient() -> None:
    one, none = torch.ones(3, 8, 3, 3), torch.zeros(3, 8, 3, 3)
    assert adaptive_weight(one, none, 0.5).item() == pytest.approx(0.5 * 1e4)
    assert adaptive_weight(none, one, 0.5).item() == 0.0
    assert adaptive_weight(3.0 * one, one, 0.5).item() == pytest.approx(1.5, rel=1e-4)


def test_losses_at_known_logits() -> None:
    real, fake = torch.tensor([2.0, 0.0]), torch.tensor([-3.0, 1.0])
    assert discriminator_loss(real, fake, "hinge").item() == pytest.approx(0.5 * (0.5 + 1.0))
    f = torch.sigmoid(torch.tensor([2.0, 0.0, -3.0, 1.0])).tolist()
    equation_3 = (math.log(f[0]) + math.log(f[1]) + math.log(1 - f[2]) + math.log(1 - f[3])) / 2
    assert discriminator_loss(real, fake, "logistic").item() == pytest.approx(-0.5 * equation_3)
    assert gan_loss(fake, "hinge").item() == pytest.approx(1.0)
    assert gan_loss(fake, "logistic").item() == pytest.approx(-(math.log(f[2]) + math.log(f[3])) / 2)
    pictures = torch.zeros(2, 3, 4, 4)
    assert reconstruction_loss(pictures + 0.5, pictures).item() == pytest.approx(0.5 * 3 * 4 * 4)


def test_weights_are_those_of_the_previous_works_and_the_paper_preset_has_equation_3() -> None:
    ours, paper = VAE_LOSSES["recommended"], VAE_LOSSES["paper"]
    assert (ours.kl_weight, ours.gan_weight, ours.gan_start_step, ours.gan_loss) == (1e-6, 0.5, 50_000, "hinge")
    assert paper == dataclasses.replace(ours, gan_loss="logistic")


@pytest.mark.parametrize("kind", ["hinge", "logistic"])
def test_one_step_of_each_player_moves_the_logits_its_way(
    kind: Literal["hinge", "logistic"], networks: tuple[Vae, Discriminator], batch: tuple[Tensor, Tensor, Tensor]
) -> None:
    vae, discriminator = networks

    def logits() -> tuple[float, float]:
        with torch.no_grad():
            return discriminator(batch[2]).mean().item(), discriminator(_output(vae, batch).image_BCHW).mean().item()

    real_before, fake_before = logits()
    gan_loss(discriminator(_output(vae, batch).image_BCHW), kind).backward()
    torch.optim.SGD(vae.parameters(), lr=0.1).step()
    assert logits()[1] > fake_before

    discriminator.zero_grad()
    _, fake_before = logits()
    config = dataclasses.replace(GAN_ON, gan_loss=kind)
    discriminator_backward(batch[2], _output(vae, batch).image_BCHW, discriminator, config, step=0)
    torch.optim.SGD(discriminator.parameters(), lr=1e-3).step()
    real_after, fake_after = logits()
    assert real_after - fake_after > real_before - fake_before


@pytest.mark.parametrize(("kind", "size"), [("hinge", "tiny"), ("logistic", "tiny"), ("hinge", "patch_batch_norm")])
def test_the_discriminator_alone_learns_to_tell_noise_from_faces(
    kind: Literal["hinge", "logistic"], size: str, procedural_faces: Faces
) -> None:
    torch.manual_seed(0)
    discriminator = Discriminator(dataclasses.replace(DISCRIMINATORS[size], width=16))
    optimiser = torch.optim.Adam(discriminator.parameters(), lr=2e-3, betas=(0.5, 0.9))
    config = VaeLossConfig(gan_start_step=0, gan_loss=kind)
    random = torch.Generator().manual_seed(0)
    for step in range(30):
        faces, noise = procedural_faces.pairs(8, seed=step).image_i_B3HW, torch.randn((8, 3, 32, 32), generator=random)
        optimiser.zero_grad()
        discriminator_backward(faces, noise, discriminator, config, step)
        optimiser.step()
    discriminator.eval()
    faces, noise = procedural_faces.pairs(100, seed=99).image_i_B3HW, torch.randn((100, 3, 32, 32), generator=random)
    with torch.no_grad():
        right = (discriminator(faces).mean((1, 2, 3)) > 0).sum() + (discriminator(noise).mean((1, 2, 3)) < 0).sum()
    assert right.item() > 0.95 * 200
