"""Embedding of the diffusion time t, which is added to the input of every block (GAIA section 4.3, "Conditioning").

Shapes: B sequences, C channels.
"""

from torch import Tensor, nn
from torch.nn import functional

from models.attention import sinusoid

__all__ = ["TimeEmbedding"]

SINUSOIDS = 256
TIME_SCALE = 1000.0
"""The sinusoids' shortest wavelength is 2 pi: of t in 0 to 1 itself they would see hardly more than a line."""


class TimeEmbedding(nn.Module):
    """Sinusoids of 1000 t, then two layers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.widen = nn.Linear(SINUSOIDS, 4 * width)
        self.narrow = nn.Linear(4 * width, width)

    def forward(self, time_B: Tensor) -> Tensor:
        """Return the (B, C) embedding of (B,) times in 0 to 1."""
        waves = sinusoid(TIME_SCALE * time_B.float(), SINUSOIDS).to(self.widen.weight.dtype)
        embedding_BC: Tensor = self.narrow(functional.silu(self.widen(waves)))
        return embedding_BC
