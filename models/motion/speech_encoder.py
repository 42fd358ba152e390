"""Lightweight speech encoder A: adapts features of a frozen extractor to the diffusion model (GAIA section 4.3).

The features z^s have one row per frame (N x d^s in the paper), as has the column `speech_features` of the
manifest; they are inputs, so that no parameter of the extractor is here.

Shapes: B sequences, T frames, F speech features, C channels of the diffusion model.
"""

from torch import Tensor, nn

from models.motion.config import SpeechEncoderConfig
from models.motion.conformer import RotaryConformerBlock, blanked

__all__ = ["SpeechEncoder", "SpeechEncoderConfig"]


class SpeechEncoder(nn.Module):
    """A convolution over three frames, Conformer blocks, and a projection to the diffusion model's width.

    Its attention has rotary positions, which are relative like those of S but have no parameters.
    """

    def __init__(self, config: SpeechEncoderConfig, *, speech_dim: int, output_width: int, dropout: float) -> None:
        super().__init__()
        self.input = nn.Conv1d(speech_dim, config.width, 3, padding=1)
        self.blocks = nn.ModuleList(
            RotaryConformerBlock(config.width, config.ffn_width, dropout) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width)
        self.output = nn.Linear(config.width, output_width)

    def forward(self, speech_BTF: Tensor, mask_BT: Tensor) -> Tensor:
        """Return the (B, T, C) encoded speech, before the pose is added.

        Args:
            speech_BTF: (B, T, F) features, one row per frame.
            mask_BT: (B, T) False in frames of padding.
        """
        hidden = self.input(blanked(speech_BTF, mask_BT).transpose(1, 2)).transpose(1, 2)
        for block in self.blocks:
            hidden = block(hidden, mask_BT)
        encoded_BTC: Tensor = self.output(self.norm(hidden))
        return encoded_BTC
