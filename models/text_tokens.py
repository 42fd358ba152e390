"""Tokens of a textual instruction, in place of speech (GAIA section 5.4 and appendix E.1).

The text encoder is CLIP's (ViT-L/14, 123,060,480 parameters), frozen and outside: its 77 states come as input. Text has
no frames to be aligned with, so each block attends to its tokens.

Shapes: B sequences, L = 77 tokens, F = 768 numbers of a state, C channels of the network.
"""

from torch import Tensor, nn

__all__ = ["TextTokens"]

STATE_WIDTH = 768
HIDDEN = 1024
"""From public code of the authors' line, as are the four layers."""


class TextTokens(nn.Module):
    """Four layers that adapt the text encoder's states, one token at a time."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(STATE_WIDTH, HIDDEN),
            nn.SiLU(),
            nn.Linear(HIDDEN, HIDDEN),
            nn.SiLU(),
            nn.Linear(HIDDEN, HIDDEN),
            nn.SiLU(),
            nn.Linear(HIDDEN, width),
        )

    def forward(self, states_BLF: Tensor) -> Tensor:
        """Return the (B, L, C) tokens of (B, L, F) states."""
        tokens_BLC: Tensor = self.layers(states_BLF)
        return tokens_BLC
