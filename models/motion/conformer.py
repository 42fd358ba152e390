"""Layers of the Conformer (Gulati et al., 2020), the backbone of S (GAIA section 4.3 and appendix B.1).

Padding never affects other frames: attention masks its keys, and the convolution module blanks padding
before its depthwise convolution and normalises each frame by itself. (BatchNorm, as in the original, and GroupNorm mix
statistics over time, so that padding changes all frames.)

Shapes: B sequences, T frames, C channels, S = 2 T - 1 offsets.
"""

from torch import Tensor, nn
from torch.nn import functional

from models.motion.attention import RotarySelfAttention

__all__ = ["ConvolutionModule", "FeedForward", "RotaryConformerBlock"]

KERNEL_FRAMES = 13
"""Width of the depthwise convolution: about half a second. From public code of the authors' line."""


class FeedForward(nn.Module):
    """Two layers per frame with SiLU between them; the block adds half of each of its two (Gulati et al., 2.3)."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, hidden)
        self.narrow = nn.Linear(hidden, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden_BTC: Tensor) -> Tensor:
        """Return the (B, T, C) that is to be added to `hidden_BTC`."""
        wide = self.dropout(functional.silu(self.widen(self.norm(hidden_BTC))))
        narrowed: Tensor = self.dropout(self.narrow(wide))
        return narrowed


class ConvolutionModule(nn.Module):
    """Gated depthwise convolution over frames (Gulati et al., 2.2), with a norm over one frame at a time."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.gated = nn.Linear(width, 2 * width)
        self.depthwise = nn.Conv1d(width, width, KERNEL_FRAMES, padding=KERNEL_FRAMES // 2, groups=width)
        self.channel_norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden_BTC: Tensor, mask_BT: Tensor) -> Tensor:
        """Return the (B, T, C) that is to be added to `hidden_BTC`; `mask_BT` is False in frames of padding."""
        gated_BTC = functional.glu(self.gated(self.norm(hidden_BTC)), dim=-1)
        near_BTC = self.depthwise(blanked(gated_BTC, mask_BT).transpose(1, 2)).transpose(1, 2)
        added: Tensor = self.dropout(self.output(functional.silu(self.channel_norm(near_BTC))))
        return added


def blanked(hidden_BTC: Tensor, mask_BT: Tensor) -> Tensor:
    """Return `hidden_BTC` with zeros in frames of padding, as beyond the ends of a sequence that has none."""
    return hidden_BTC.masked_fill(~mask_BT[..., None], 0.0)


class RotaryConformerBlock(nn.Module):
    """One Conformer block (Gulati et al., equation 1): half FFN, attention, convolution, half FFN, LayerNorm."""

    def __init__(self, width: int, ffn_width: int, dropout: float) -> None:
        super().__init__()
        self.feed_forward_before = FeedForward(width, ffn_width, dropout)
        self.attention = RotarySelfAttention(width, dropout)
        self.convolution = ConvolutionModule(width, dropout)
        self.feed_forward_after = FeedForward(width, ffn_width, dropout)
        self.norm = nn.LayerNorm(width)

    def forward(self, hidden_BTC: Tensor, mask_BT: Tensor) -> Tensor:
        """Return the (B, T, C) output of the block; `mask_BT` is False in frames of padding."""
        hidden_BTC = hidden_BTC + 0.5 * self.feed_forward_before(hidden_BTC)
        hidden_BTC = hidden_BTC + self.attention(hidden_BTC, mask_BT)
        hidden_BTC = hidden_BTC + self.convolution(hidden_BTC, mask_BT)
        hidden_BTC = hidden_BTC + 0.5 * self.feed_forward_after(hidden_BTC)
        normalised: Tensor = self.norm(hidden_BTC)
        return normalised
