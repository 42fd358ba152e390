"""Number of parameters of each network at each size, with the paper's counts (GAIA appendix B.1, Tables 4 and 5).

The paper's counts of 180M, 600M and 1.2B for the diffusion models are only reached if they include wav2vec 2.0 base,
which is frozen and extracts the speech features: without it no width of the feed-forward layers comes closer than 6 %.
So each row has two counts: trained parameters, and all parameters that are needed to run.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import torch
from torch import nn

from models.motion.config import MOTION_DIFFUSION_SIZES
from models.motion.diffusion import MotionDiffusion
from models.vae.discriminator import DISCRIMINATORS, Discriminator
from models.vae.vae import VAE_SIZES, Vae

__all__ = ["WAV2VEC2_BASE_PARAMETERS", "ParameterRow", "as_json", "as_text", "parameter_rows"]

WAV2VEC2_BASE_PARAMETERS = 94_371_712
"""Of `facebook/wav2vec2-base`, without the heads of its pre-training."""

PAPER = {
    ("VAE", "small"): 80e6,
    ("VAE", "base"): 700e6,
    ("VAE", "large"): 1.7e9,
    ("motion diffusion", "small"): 180e6,
    ("motion diffusion", "base"): 600e6,
    ("motion diffusion", "large"): 1.2e9,
}
"""Appendix B.1. The paper gives no count for the discriminator, which is not part of the VAE's count here either."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ParameterRow:
    """One network at one size."""

    network: str
    size: str
    trainable: int
    total: int
    """Trainable ones and the frozen extractor of features."""
    paper: float | None
    """The paper's count; None where it gives none."""

    @property
    def difference(self) -> float | None:
        """Relative difference of `total` from the paper's count."""
        return None if self.paper is None else self.total / self.paper - 1.0


def parameter_rows() -> list[ParameterRow]:
    """Return all networks at all sizes, built on the meta device, without allocating their weights."""
    with torch.device("meta"):
        return list(_rows())


def _rows() -> Iterator[ParameterRow]:
    for size, vae in VAE_SIZES.items():
        yield _row("VAE", size, Vae(vae), frozen=0)
    for size, discriminator in DISCRIMINATORS.items():
        yield _row("discriminator", size, Discriminator(discriminator), frozen=0)
    for size, motion in MOTION_DIFFUSION_SIZES.items():
        yield _row("motion diffusion", size, MotionDiffusion(motion), frozen=WAV2VEC2_BASE_PARAMETERS)


def _row(name: str, size: str, network: nn.Module, frozen: int) -> ParameterRow:
    trainable = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    return ParameterRow(
        network=name, size=size, trainable=trainable, total=trainable + frozen, paper=PAPER.get((name, size))
    )


def as_json(rows: list[ParameterRow]) -> list[dict[str, object]]:
    """Return rows as JSON objects, `difference` included."""
    return [{**asdict(row), "difference": row.difference} for row in rows]


def as_text(rows: list[ParameterRow]) -> str:
    """Return rows as a table for a terminal, counts in millions."""
    head = f"{'network':<17} {'size':<17} {'trainable':>10} {'with frozen':>12} {'paper':>8} {'difference':>11}"
    return "\n".join([head, *(_line(row) for row in rows)])


def _line(row: ParameterRow) -> str:
    counts = f"{row.network:<17} {row.size:<17} {row.trainable / 1e6:>9.2f}M {row.total / 1e6:>11.2f}M"
    if row.paper is None or row.difference is None:
        return f"{counts} {'-':>8} {'-':>11}"
    return f"{counts} {row.paper / 1e6:>7.0f}M {100.0 * row.difference:>+10.1f}%"
