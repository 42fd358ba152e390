"""Losses of the VAE (GAIA section 4.2, equations 3 and 4).

Equation 4: L = L_rec + L_kl + L_dis. "Following previous works (Esser et al., 2021; Rombach et al., 2022)" fixes what
the paper leaves open: L_rec is summed over pixels and channels, L_kl over latent dimensions, both are averaged over
images, and L_kl is multiplied by 1e-6; with a mean over pixels the same weight would be 196,608 times as much. L_dis
is multiplied so that at the decoder's last weights its gradient is half as long as that of L_rec. L_rec has two
parts, L1 and a perceptual distance (Zhang et al., 2018; `perceptual`). The latter is a number per image that
those authors add to the L1 distance of each value before they sum, so it counts as often as an image has values.

Those authors compute that factor by two more passes through the last layer. It follows as well from the gradients of
the two losses at the image, from which a convolution gives those at its weights. So one backward pass through the VAE
suffices, and only the image and the input of the last layer are needed, which a sharded or compiled network has too.

Shapes: B images, C channels, H rows, W columns.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.grad import conv2d_weight

from models.vae.posterior import Posterior
from models.vae.vae import VaeOutput
from training.vae.config import VAE_LOSSES, GanLoss, VaeLossConfig

__all__ = [
    "VAE_LOSSES",
    "DiscriminatorLosses",
    "GeneratorLosses",
    "VaeLossConfig",
    "adaptive_weight",
    "collapsed_channels",
    "discriminator_backward",
    "discriminator_loss",
    "gan_loss",
    "generator_backward",
    "kl_loss",
    "last_layer_gradients",
    "reconstruction_loss",
]

MAX_ADAPTIVE_WEIGHT = 1e4
"""Limit of the ratio of gradients (Esser et al., 2021)."""

COLLAPSED_NATS = 0.5
"""Nats per dimension below which a channel counts as collapsed. Ours."""


def gan_loss(fake_logits: Tensor, kind: GanLoss) -> Tensor:
    """Return the part of equation 3 that the VAE minimises; it falls as f_dis rates its images as real.

    `logistic` is -log f(x^) in place of log(1 - f(x^)), whose gradient vanishes where f_dis wins (Goodfellow et al.,
    2014).
    """
    return -fake_logits.mean() if kind == "hinge" else functional.softplus(-fake_logits).mean()


class GeneratorLosses(NamedTuple):
    """Losses of a training step of the VAE; scalars without a graph."""

    reconstruction: Tensor
    """L_rec, sum over pixels and channels."""
    perceptual: Tensor
    """Mean perceptual distance in it; 0 without a perceptual network."""
    kl_appearance: Tensor
    """Divergence of z_a in nats, sum over dimensions, before its weight."""
    kl_motion: Tensor
    """The same of z_m; 0 without disentanglement."""
    gan: Tensor
    """L_dis in the loss of the VAE, before its factor; 0 before `gan_start_step`."""
    gan_factor: Tensor
    """Factor of `gan`; 0 where it was not finite, see `gan_factor_is_finite`."""
    gan_factor_is_finite: Tensor
    """Boolean. A trainer stops after many false ones in a row: values in the network overflow then."""


class DiscriminatorLosses(NamedTuple):
    """Losses of a training step of the discriminator; scalars without a graph."""

    loss: Tensor
    real_logit: Tensor
    """Mean logit of real frames. While it equals `fake_logit`, the discriminator has learned nothing."""
    fake_logit: Tensor


def reconstruction_loss(image_BCHW: Tensor, target_BCHW: Tensor) -> Tensor:
    """Return the L1 distance, summed over channels and pixels and averaged over images (L_rec of equation 4)."""
    return (image_BCHW - target_BCHW).abs().sum() / len(image_BCHW)


def collapsed_channels(posterior: Posterior) -> Tensor:
    """Return (C,) whether a channel of a latent carries less than half a nat per dimension, almost no information.

    The decoder receives noise there. This happens where L_kl has too much weight, and to z_m where the decoder finds
    the motion elsewhere.
    """
    return posterior.nats_per_dimension_C().detach() < COLLAPSED_NATS


def kl_loss(posterior: Posterior) -> Tensor:
    """Return L_kl of equation 4 of one latent: nats, summed over its dimensions and averaged over images."""
    return posterior.kl_B().mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor, kind: GanLoss) -> Tensor:
    """Return the loss of f_dis: half of the losses on real and generated images together.

    Args:
        real_logits: any shape; f_dis(x) of equation 3 is their sigmoid.
        fake_logits: of generated images, detached from the VAE.
        kind: `logistic`: -[log f(x) + log(1 - f(x^))] / 2 of equation 3; `hinge`: [relu(1 - x) + relu(1 + x^)] / 2.
    """
    if kind == "hinge":
        return 0.5 * (functional.relu(1.0 - real_logits).mean() + functional.relu(1.0 + fake_logits).mean())
    return 0.5 * (functional.softplus(-real_logits).mean() + functional.softplus(fake_logits).mean())


def last_layer_gradients(features_BCHW: Tensor, weight_size: torch.Size, gradient_BCHW: Tensor) -> Tensor:
    """Return the gradient of a loss at the weights of the decoder's last convolution (3x3, padding 1).

    Args:
        features_BCHW: its input.
        weight_size: (out, in, 3, 3), shape of its weights; the full shape where they are sharded.
        gradient_BCHW: gradient of the loss at its output.

    Returns:
        (out, in, 3, 3). Several processes with a part of the batch each average these before taking the norm.
    """
    gradient: Tensor = conv2d_weight(  # type: ignore[no-untyped-call]
        features_BCHW.detach(), weight_size, gradient_BCHW.to(features_BCHW.dtype), padding=1
    )
    return gradient.float()


def adaptive_weight(reconstruction_gradient: Tensor, gan_gradient: Tensor, gan_weight: float) -> Tensor:
    """Return the factor of the GAN loss (Esser et al., 2021, equation 7), a scalar tensor; it may not be finite.

    Args:
        reconstruction_gradient: gradient of L_rec at the last layer's weights.
        gan_gradient: gradient of the GAN loss there.
        gan_weight: norm of the latter as a share of the norm of the former.
    """
    ratio: Tensor = torch.linalg.vector_norm(reconstruction_gradient) / (torch.linalg.vector_norm(gan_gradient) + 1e-4)
    return gan_weight * ratio.clamp(0.0, MAX_ADAPTIVE_WEIGHT)


def _unchanged(tensor: Tensor) -> Tensor:
    return tensor


def generator_backward(
    output: VaeOutput,
    target_BCHW: Tensor,
    last_layer: nn.Conv2d,
    discriminator: nn.Module,
    config: VaeLossConfig,
    step: int,
    *,
    perceptual: nn.Module | None = None,
    share: float = 1.0,
    averaged: Callable[[Tensor], Tensor] = _unchanged,
) -> GeneratorLosses:
    """Add the gradients of equation 4 to the parameters of the VAE, and none to those of the discriminator.

    Args:
        output: of the VAE in this step.
        target_BCHW: (B, 3, H, W) frames j.
        last_layer: the decoder's last convolution.
        discriminator: f_dis; it is not used before `config.gan_start_step`.
        config: weights of the terms.
        step: number of this step, from 0.
        perceptual: (B, 3, H, W) images and targets -> (B,) distances; None: L_rec is L1 alone.
        share: factor of all gradients; 1 / n where a step has n passes.
        averaged: returns the mean of a tensor over all processes, which have a part of the batch each.
    """
    # the losses start from a copy of the image in fp32, so that both gradients at it are computed without the VAE
    image_BCHW = output.image_BCHW.detach().float().requires_grad_()
    reconstruction = reconstruction_loss(image_BCHW, target_BCHW)
    distance = torch.zeros_like(reconstruction)
    if perceptual is not None:
        distance = perceptual(image_BCHW, target_BCHW).float().mean()
        reconstruction = reconstruction + config.perceptual_weight * image_BCHW[0].numel() * distance
    (gradient_BCHW,) = torch.autograd.grad(reconstruction, image_BCHW)
    gan = factor = torch.zeros_like(reconstruction)
    finite = torch.ones((), dtype=torch.bool, device=factor.device)
    if config.gan_is_on(step):
        gan = gan_loss(discriminator(image_BCHW).float(), config.gan_loss)
        (gan_gradient_BCHW,) = torch.autograd.grad(gan, image_BCHW)
        features_BCHW, size = output.last_features_BCHW, last_layer.weight.shape
        factor = adaptive_weight(
            averaged(last_layer_gradients(features_BCHW, size, gradient_BCHW)),
            averaged(last_layer_gradients(features_BCHW, size, gan_gradient_BCHW)),
            config.gan_weight,
        )
        finite = factor.isfinite()
        factor = torch.where(finite, factor, 0.0)
        gradient_BCHW = gradient_BCHW + torch.where(finite, factor * gan_gradient_BCHW, 0.0)
    kl_appearance = kl_loss(output.appearance)
    kl_motion = kl_loss(output.motion) if output.motion is not None else torch.zeros_like(kl_appearance)
    torch.autograd.backward(
        [output.image_BCHW, config.kl_weight * (kl_appearance + kl_motion)],
        [share * gradient_BCHW.to(output.image_BCHW.dtype), torch.full_like(kl_appearance, share)],
    )
    return GeneratorLosses(
        reconstruction.detach(),
        distance.detach(),
        kl_appearance.detach(),
        kl_motion.detach(),
        gan.detach(),
        factor,
        finite,
    )


def discriminator_backward(
    target_BCHW: Tensor,
    image_BCHW: Tensor,
    discriminator: nn.Module,
    config: VaeLossConfig,
    step: int,
    *,
    share: float = 1.0,
) -> DiscriminatorLosses | None:
    """Add the gradients of equation 3 to the discriminator's parameters; nothing before `config.gan_start_step`.

    Args:
        target_BCHW: (B, 3, H, W) frames j.
        image_BCHW: (B, 3, H, W) reconstructions of them in this step; no gradient flows to the VAE.
        discriminator: f_dis.
        config: kind of loss.
        step: number of this step, from 0.
        share: factor of all gradients; 1 / n where a step has n passes.
    """
    if not config.gan_is_on(step):
        return None
    real_logits, fake_logits = discriminator(target_BCHW).float(), discriminator(image_BCHW.detach()).float()
    loss = discriminator_loss(real_logits, fake_logits, config.gan_loss)
    torch.autograd.backward(share * loss)
    return DiscriminatorLosses(loss.detach(), real_logits.detach().mean(), fake_logits.detach().mean())
