"""Blocks of the motion diffusion model S: the Conformer of GAIA section 4.3, the Transformer of Table 9.

Both take the same conditions and the same relative positions.

Shapes: B sequences, T frames, C channels.
"""

from torch import Tensor, nn

from models.motion.attention import RelativeSelfAttention
from models.motion.conditions import AddedConditions, AttendedConditions, BlockConditions
from models.motion.config import MotionDiffusionConfig
from models.motion.conformer import ConvolutionModule, FeedForward

__all__ = ["MotionConformerBlock", "MotionTransformerBlock"]


class MotionConformerBlock(nn.Module):
    """One Conformer block of S: half FFN, attention, convolution, cross-attention, half FFN, LayerNorm.

    The time is added at its input, the speech after the first half FFN.
    """

    def __init__(self, config: MotionDiffusionConfig) -> None:
        super().__init__()
        width, dropout = config.width, config.dropout
        self.added = AddedConditions(config)
        self.feed_forward_before = FeedForward(width, config.ffn_width, dropout)
        self.attention = RelativeSelfAttention(width, dropout)
        self.convolution = ConvolutionModule(width, dropout)
        self.attended = AttendedConditions(config)
        self.feed_forward_after = FeedForward(width, config.ffn_width, dropout)
        self.norm = nn.LayerNorm(width)

    def forward(self, hidden_BTC: Tensor, conditions: BlockConditions) -> Tensor:
        """Return the (B, T, C) output of the block."""
        hidden_BTC = hidden_BTC + self.added.of_time(conditions)
        hidden_BTC = hidden_BTC + 0.5 * self.feed_forward_before(hidden_BTC)
        hidden_BTC = self.added.of_content(hidden_BTC, conditions)
        hidden_BTC = hidden_BTC + self.attention(hidden_BTC, conditions.mask_BT, conditions.offsets_SC)
        hidden_BTC = hidden_BTC + self.convolution(hidden_BTC, conditions.mask_BT)
        hidden_BTC = self.attended(hidden_BTC, conditions)
        hidden_BTC = hidden_BTC + 0.5 * self.feed_forward_after(hidden_BTC)
        normalised: Tensor = self.norm(hidden_BTC)
        return normalised


class MotionTransformerBlock(nn.Module):
    """One Transformer block of S, pre-LN (Vaswani et al., 2017, with the norm before each sublayer).

    Its feed-forward layer is wide enough for as many parameters as the Conformer block has, so that the two differ by
    the convolution alone.
    """

    def __init__(self, config: MotionDiffusionConfig) -> None:
        super().__init__()
        self.added = AddedConditions(config)
        self.attention = RelativeSelfAttention(config.width, config.dropout)
        self.attended = AttendedConditions(config)
        # both feed-forward layers of the Conformer in one, and 3 d^2 in place of its convolution module
        self.feed_forward = FeedForward(config.width, 2 * config.ffn_width + 3 * config.width // 2, config.dropout)

    def forward(self, hidden_BTC: Tensor, conditions: BlockConditions) -> Tensor:
        """Return the (B, T, C) output of the block."""
        hidden_BTC = self.added.of_content(hidden_BTC + self.added.of_time(conditions), conditions)
        hidden_BTC = hidden_BTC + self.attention(hidden_BTC, conditions.mask_BT, conditions.offsets_SC)
        hidden_BTC = self.attended(hidden_BTC, conditions)
        transformed: Tensor = hidden_BTC + self.feed_forward(hidden_BTC)
        return transformed
