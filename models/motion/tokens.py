"""Tokens of the reference frame and of text, and the embedding of the time (GAIA section 4.3, "Conditioning").

The paper's reference is the motion latent z^m(i) of one frame of the clip. It becomes one token per position of the
latent (or per landmark), each with a learned position embedding. One vector for the entire frame, repeated, would make
all keys of the cross-attention equal and the attention an addition.

Shapes: B sequences, D dimensions of the target, K tokens, c channels of a token, C channels of the network.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.motion.attention import sinusoid
from models.text_encoder import STATE_WIDTH

__all__ = ["ReferenceTokens", "TextTokens", "TimeEmbedding"]

REFERENCE_HIDDEN = 512
"""Ours."""


class ReferenceTokens(nn.Module):
    """Split of a reference frame into tokens."""

    def __init__(self, tokens: int, channels: int, width: int, *, channels_first: bool) -> None:
        """Build the network.

        Args:
            tokens: K, positions of the latent or landmarks.
            channels: c, numbers per token.
            width: C.
            channels_first: whether the D = K c numbers lie channel by channel, as in a flattened latent (c, h, w), or
                token by token, as in flattened landmarks (K, 2).
        """
        super().__init__()
        self.tokens, self.channels_first = tokens, channels_first
        self.widen = nn.Linear(channels, REFERENCE_HIDDEN)
        self.narrow = nn.Linear(REFERENCE_HIDDEN, width)
        self.position_KC = nn.Parameter(0.02 * torch.randn(tokens, width))

    def forward(self, reference_BD: Tensor) -> Tensor:
        """Return the (B, K, C) tokens of (B, D) reference frames."""
        batch = reference_BD.shape[0]
        if self.channels_first:
            tokens = reference_BD.reshape(batch, -1, self.tokens).transpose(1, 2)
        else:
            tokens = reference_BD.reshape(batch, self.tokens, -1)
        embedded_BKC: Tensor = self.narrow(functional.silu(self.widen(tokens))) + self.position_KC
        return embedded_BKC


TEXT_HIDDEN = 1024
"""From public code of the authors' line, like the four layers."""


class TextTokens(nn.Module):
    """Four layers that adapt the text encoder's states, one token at a time."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(STATE_WIDTH, TEXT_HIDDEN),
            nn.SiLU(),
            nn.Linear(TEXT_HIDDEN, TEXT_HIDDEN),
            nn.SiLU(),
            nn.Linear(TEXT_HIDDEN, TEXT_HIDDEN),
            nn.SiLU(),
            nn.Linear(TEXT_HIDDEN, width),
        )

    def forward(self, states_BLF: Tensor) -> Tensor:
        """Return the (B, L, C) tokens of (B, L, F) states."""
        tokens_BLC: Tensor = self.layers(states_BLF)
        return tokens_BLC


SINUSOIDS = 256

TIME_SCALE = 1000.0
"""The sinusoids' shortest wavelength is 2 pi: on t in 0 to 1 itself they would be hardly more than linear."""


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
