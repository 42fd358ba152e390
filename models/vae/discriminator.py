"""Discriminator f_dis, the adversary of the VAE in training (GAIA section 4.2, equation 3).

The paper follows Esser et al. (2021) and Rombach et al. (2022): a PatchGAN (Isola et al., 2017), which judges
overlapping patches and not the entire image. Their batch norm depends on the batch of one GPU and on whether real
and generated images share it; group norm does not, and is the default.

Shapes: B images, C channels, H rows, W columns.
"""

from torch import Tensor, nn

from models.vae.config import DISCRIMINATORS, DiscriminatorConfig

__all__ = ["DISCRIMINATORS", "Discriminator", "DiscriminatorConfig"]

INITIAL_STD = 0.02
"""Standard deviation of the initial weights (Isola et al., 2017)."""


class Discriminator(nn.Module):
    """PatchGAN."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.width
        layers: list[nn.Module] = [nn.Conv2d(3, channels, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        for n in range(1, config.n_strided + 1):
            wider = config.width * min(2**n, 8)
            stride = 2 if n < config.n_strided else 1
            layers += [nn.Conv2d(channels, wider, 4, stride=stride, padding=1, bias=False), self._norm(wider)]
            layers.append(nn.LeakyReLU(0.2))
            channels = wider
        layers.append(nn.Conv2d(channels, 1, 4, padding=1))
        self.layers = nn.Sequential(*layers)
        self.apply(_initialise)

    def _norm(self, channels: int) -> nn.Module:
        if self.config.norm == "batch":
            return nn.BatchNorm2d(channels)
        return nn.GroupNorm(self.config.groups, channels)

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Return the (B, 1, H', W') logits of "real" of the patches of images (B, 3, H, W) in -1 to 1."""
        logits_B1HW: Tensor = self.layers(image_BCHW)
        return logits_B1HW


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, INITIAL_STD)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
        nn.init.normal_(module.weight, 1.0, INITIAL_STD)
        nn.init.zeros_(module.bias)
