"""Entry of the conditions of S into its blocks (GAIA section 4.3, "Conditioning", and the variants of Table 9).

The time and, in the paper's main model, the speech are added; the reference is attended to. Each block has its own
projections.

Shapes: B sequences, T frames, C channels, M tokens of speech and reference, L tokens of text, S = 2 T - 1 offsets.
"""

from typing import NamedTuple

from torch import Tensor, nn

from models.motion.attention import CrossAttention
from models.motion.config import MotionDiffusionConfig

__all__ = ["AddedConditions", "AttendedConditions", "BlockConditions"]


class BlockConditions(NamedTuple):
    """Inputs of all blocks in one forward pass; None where the config lacks the condition."""

    mask_BT: Tensor
    """False in frames of padding."""
    offsets_SC: Tensor
    """Sinusoids of the offsets between frames."""
    time_BC: Tensor
    speech_BTC: Tensor | None
    """Encoded speech with the pose, to be added."""
    reference_B1C: Tensor | None
    """Reference frame as one vector, to be added."""
    tokens_BMC: Tensor | None
    """Tokens of reference and speech, to be attended to."""
    token_mask_BM: Tensor | None
    """False where a token is padding; None: none is."""
    text_BLC: Tensor | None
    """Tokens of the text, to be attended to."""
    text_mask_BL: Tensor | None


class AddedConditions(nn.Module):
    """Projections of the conditions that are added to the hidden features of a block."""

    def __init__(self, config: MotionDiffusionConfig) -> None:
        super().__init__()
        width = config.width
        self.time = nn.Linear(width, width)
        adds_speech = config.condition == "speech" and config.cond.speech == "add"
        self.speech = nn.Linear(width, width) if adds_speech else None
        self.reference = nn.Linear(width, width) if config.cond.ref == "add" else None

    def of_time(self, conditions: BlockConditions) -> Tensor:
        """Return the (B, 1, C) to add at the block's input."""
        time_BC: Tensor = self.time(conditions.time_BC)
        return time_BC[:, None]

    def of_content(self, hidden_BTC: Tensor, conditions: BlockConditions) -> Tensor:
        """Return `hidden_BTC` with speech and reference added, as far as the config adds them."""
        if self.speech is not None:
            hidden_BTC = hidden_BTC + self.speech(conditions.speech_BTC)
        if self.reference is not None:
            hidden_BTC = hidden_BTC + self.reference(conditions.reference_B1C)
        return hidden_BTC


class AttendedConditions(nn.Module):
    """Cross-attentions of a block: one to reference and speech tokens, one to text."""

    def __init__(self, config: MotionDiffusionConfig) -> None:
        super().__init__()
        attends = config.cond.ref == "cross" or config.cond.speech == "cross"
        self.tokens = CrossAttention(config.width, config.dropout) if attends else None
        self.text = CrossAttention(config.width, config.dropout) if config.condition == "text" else None
        if self.text is not None:
            # a text-driven model may start from the weights of a speech-driven one, which it equals at first
            nn.init.zeros_(self.text.output.weight)
            nn.init.zeros_(self.text.output.bias)

    def forward(self, hidden_BTC: Tensor, conditions: BlockConditions) -> Tensor:
        """Return `hidden_BTC` with the results of the attentions added."""
        if self.tokens is not None:
            hidden_BTC = hidden_BTC + self.tokens(hidden_BTC, conditions.tokens_BMC, conditions.token_mask_BM)
        if self.text is not None:
            hidden_BTC = hidden_BTC + self.text(hidden_BTC, conditions.text_BLC, conditions.text_mask_BL)
        return hidden_BTC
