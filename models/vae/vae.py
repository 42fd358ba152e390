"""The VAE: a frame from the appearance of another frame and its own landmarks (GAIA section 4.2).

Equation 1: z_a(i) = E_A(x_a(i)), z_m(j) = E_M(x_m(j)), where x_m is the image of `landmark_image`. Equation 2:
x_a(j) ~ D(z_a(i), z_m(j)); "z_m is first up-sampled to the same size as z_a followed by concatenation and projection".
Appendix B.1: downsampling by 8 and 16, 256x256, hidden size 128, 256, 512 and 2, 4, 8 layers per block.

The projection has 64 channels: three, as many as one latent has, would squeeze appearance and motion into the
size of one.

Shapes: B images, C channels, H rows, W columns; images are RGB in -1 to 1.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.vae.blocks import Downsample, ResBlock, Upsample, group_norm
from models.vae.config import LATENT_CHANNELS, VAE_SIZES, VaeConfig
from models.vae.posterior import LatentStatistics, Posterior

__all__ = ["VAE_SIZES", "Decoder", "Encoder", "LatentNoise", "Vae", "VaeConfig", "VaeOutput"]

IMAGE_CHANNELS = 3

FUSED_CHANNELS = 64
"""Channels of the projection of appearance and motion. Ours, see above."""


class LatentNoise(NamedTuple):
    """Standard normal noise to draw latents with; shapes are those of `VaeConfig` with B before them."""

    appearance_BCHW: Tensor
    motion_BCHW: Tensor | None
    """None without disentanglement."""


class VaeOutput(NamedTuple):
    """Output of a pass through the VAE."""

    image_BCHW: Tensor
    """(B, 3, H, W) reconstruction; not clamped to -1 to 1, so that the loss also corrects values beyond."""
    last_features_BCHW: Tensor
    """Input of the decoder's last convolution; the adaptive weight of the GAN loss needs it."""
    appearance: Posterior
    motion: Posterior | None
    """None without disentanglement."""


class Encoder(nn.Module):
    """E_A or E_M of equation 1."""

    def __init__(self, config: VaeConfig, multipliers: tuple[int, ...]) -> None:
        super().__init__()
        channels = config.width
        layers: list[nn.Module] = [nn.Conv2d(IMAGE_CHANNELS, channels, 3, padding=1)]
        for level, multiplier in enumerate(multipliers):
            for _ in range(config.n_layers):
                layers.append(ResBlock(channels, multiplier * config.width, config.groups))
                channels = multiplier * config.width
            if level < len(multipliers) - 1:
                layers.append(Downsample(channels))
        layers += [ResBlock(channels, channels, config.groups) for _ in range(2)]
        self.layers = nn.Sequential(*layers)
        self.norm = group_norm(channels, config.groups)
        self.moments = nn.Conv2d(channels, 2 * LATENT_CHANNELS, 3, padding=1)

    def forward(self, image_BCHW: Tensor) -> Posterior:
        """(B, 3, H, W) -> posterior of (B, C, H / f, W / f), where f is 8 for E_A and 16 for E_M."""
        features_BCHW = self.layers(image_BCHW)
        return Posterior.of_moments(self.moments(functional.silu(self.norm(features_BCHW))))


class Decoder(nn.Module):
    """D of equation 2, with the projection of z_a and z_m before it."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        self.motion_up = Upsample(LATENT_CHANNELS) if config.disentangled else None
        self.fuse = nn.Conv2d(LATENT_CHANNELS * (2 if config.disentangled else 1), FUSED_CHANNELS, 1)
        channels = config.multipliers[-1] * config.width
        layers: list[nn.Module] = [nn.Conv2d(FUSED_CHANNELS, channels, 3, padding=1)]
        layers += [ResBlock(channels, channels, config.groups) for _ in range(2)]
        for level, multiplier in reversed(list(enumerate(config.multipliers))):
            for _ in range(config.n_layers + 1):
                layers.append(ResBlock(channels, multiplier * config.width, config.groups))
                channels = multiplier * config.width
            if level > 0:
                layers.append(Upsample(channels))
        self.layers = nn.Sequential(*layers)
        self.norm = group_norm(channels, config.groups)
        self.image = nn.Conv2d(channels, IMAGE_CHANNELS, 3, padding=1)

    def forward(self, appearance_BCHW: Tensor, motion_BCHW: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the image (B, 3, H, W) and the input of the last convolution."""
        latents = [appearance_BCHW.to(self.fuse.weight.dtype)]
        if self.motion_up is not None:
            if motion_BCHW is None:
                raise ValueError("this VAE was built with disentangled=True: its decoder needs the motion latent too")
            latents.append(self.motion_up(motion_BCHW.to(self.fuse.weight.dtype)))
        features_BCHW = functional.silu(self.norm(self.layers(self.fuse(torch.cat(latents, dim=1)))))
        return self.image(features_BCHW), features_BCHW


class Vae(nn.Module):
    """E_A, E_M and D. A talking video needs z_a once, and z_m and D for each frame."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        self.config = config
        self.appearance_encoder = Encoder(config, config.multipliers)
        self.motion_encoder = Encoder(config, (1, *config.multipliers)) if config.disentangled else None
        self.decoder = Decoder(config)
        self.latent_statistics = LatentStatistics(LATENT_CHANNELS)
        """Statistics of the latents that the diffusion model is trained on: z_m, or z_a without disentanglement."""

    def encode_appearance(self, image_BCHW: Tensor) -> Posterior:
        """Return the posterior of z_a (equation 1, left) of images (B, 3, H, W)."""
        posterior: Posterior = self.appearance_encoder(image_BCHW)
        return posterior

    def encode_motion(self, landmark_image_BCHW: Tensor) -> Posterior:
        """Return the posterior of z_m (equation 1, right) of drawn landmarks (B, 3, H, W).

        Raises:
            ValueError: this VAE is one without disentanglement, which has no z_m.
        """
        if self.motion_encoder is None:
            raise ValueError("this VAE was built with disentangled=False: its appearance latent holds the motion")
        posterior: Posterior = self.motion_encoder(landmark_image_BCHW)
        return posterior

    def decode(self, appearance_BCHW: Tensor, motion_BCHW: Tensor | None) -> Tensor:
        """Return images (B, 3, H, W) of latents (equation 2); `motion_BCHW` is None without disentanglement."""
        image_BCHW: Tensor = self.decoder(appearance_BCHW, motion_BCHW)[0]
        return image_BCHW

    def forward(self, image_BCHW: Tensor, landmark_image_BCHW: Tensor | None, noise: LatentNoise | None) -> VaeOutput:
        """Reconstruct frames j from frames i of the same clips and the landmarks of frames j.

        Args:
            image_BCHW: (B, 3, H, W) frames i; without disentanglement frames j.
            landmark_image_BCHW: (B, 3, H, W) drawn landmarks of frames j; None without disentanglement.
            noise: for sampling the latents in training; None takes the means, as in all uses after training.
        """
        appearance = self.encode_appearance(image_BCHW)
        motion = None if landmark_image_BCHW is None else self.encode_motion(landmark_image_BCHW)
        z_a_BCHW = appearance.mean_BCHW if noise is None else appearance.sample(noise.appearance_BCHW)
        z_m_BCHW = None if motion is None else motion.mean_BCHW
        if motion is not None and noise is not None and noise.motion_BCHW is not None:
            z_m_BCHW = motion.sample(noise.motion_BCHW)
        image_BCHW, features_BCHW = self.decoder(z_a_BCHW, z_m_BCHW)
        return VaeOutput(image_BCHW, features_BCHW, appearance, motion)
