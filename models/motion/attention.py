"""Attention of the motion networks: self-attention over frames, cross-attention to conditions (GAIA section 4.3).

The Conformer (Gulati et al., 2020) that the paper takes as its backbone uses the relative positions of
Transformer-XL (Dai et al., 2019, section 3.3). Neither kind of self-attention here depends on where a sequence
begins: shifting a window of frames shifts its output, as long audio, cut into windows, requires.

Shapes: B sequences, T frames, C channels of the network, H heads, E channels of a head, S = 2 T - 1 offsets, M tokens
of a condition.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.motion.config import HEAD_WIDTH, heads_of

__all__ = [
    "CrossAttention",
    "RelativeSelfAttention",
    "RotarySelfAttention",
    "heads_of",
    "offsets_embedding",
    "sinusoid",
]


def sinusoid(position: Tensor, width: int) -> Tensor:
    """Return sines, then cosines, of `position` at wavelengths from 2 pi to 20,000 pi (Vaswani et al., 2017, 3.5).

    Args:
        position: (...) positions, in any unit.
        width: channels of the result, even.

    Returns:
        (..., width) float32.
    """
    steps = torch.arange(width // 2, device=position.device, dtype=torch.float32)
    angle = position.float()[..., None] * torch.exp(steps * (-math.log(10_000.0) / (width // 2)))
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


def offsets_embedding(hidden_BTC: Tensor) -> Tensor:
    """Return the (S, C) sinusoids of the offsets i - j = T - 1, ..., 0, ..., -(T - 1) between frames i and j."""
    frames, width = hidden_BTC.shape[1], hidden_BTC.shape[2]
    offsets = torch.arange(frames - 1, -frames, -1, device=hidden_BTC.device)
    return sinusoid(offsets, width).to(hidden_BTC.dtype)


def _split(tensor_BTC: Tensor) -> Tensor:
    batch, frames, width = tensor_BTC.shape
    return tensor_BTC.reshape(batch, frames, width // HEAD_WIDTH, HEAD_WIDTH).transpose(1, 2)


def _merge(tensor_BHTE: Tensor) -> Tensor:
    return tensor_BHTE.transpose(1, 2).flatten(2)


def _key_bias(mask_BT: Tensor, dtype: torch.dtype) -> Tensor:
    """Return (B, 1, 1, T): 0 where a key counts, minus infinity where it is padding."""
    bias_BT = torch.zeros(mask_BT.shape, dtype=dtype, device=mask_BT.device).masked_fill(~mask_BT, -torch.inf)
    return bias_BT[:, None, None, :]


def _shifted(scores_BHTS: Tensor) -> Tensor:
    """Return (B, H, T, T) whose entry (i, j) is the score of frame i for the offset i - j.

    Column s of the input is offset T - 1 - s, so the required column of row i is T - 1 - i + j. Row i is moved left by
    T - 1 - i through a padded view (Transformer-XL, appendix B).
    """
    batch, heads, frames, offsets = scores_BHTS.shape
    padded = functional.pad(scores_BHTS, (1, 0)).reshape(batch, heads, offsets + 1, frames)
    return padded[:, :, 1:].reshape(batch, heads, frames, offsets)[..., :frames]


class RelativeSelfAttention(nn.Module):
    """Multi-head self-attention with the relative positions of Transformer-XL.

    The score of query i and key j is ((q_i + u) . k_j + (q_i + v) . W_r r_{i-j}) / sqrt(E), with learned u, v, W_r and
    r the sinusoid of the offset. No longest sequence is fixed in advance.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        heads = heads_of(width)
        self.norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.offset_key = nn.Linear(width, width, bias=False)
        self.content_bias_HE = nn.Parameter(0.02 * torch.randn(heads, HEAD_WIDTH))
        self.offset_bias_HE = nn.Parameter(0.02 * torch.randn(heads, HEAD_WIDTH))
        self.output = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden_BTC: Tensor, mask_BT: Tensor, offsets_SC: Tensor) -> Tensor:
        """Return what is to be added to `hidden_BTC`.

        Args:
            hidden_BTC: (B, T, C) frames.
            mask_BT: (B, T) False in padding; at least one True per sequence.
            offsets_SC: (2 T - 1, C) of `offsets_embedding`.

        Returns:
            (B, T, C); values in frames of padding have no meaning.
        """
        query_BHTE, key_BHTE, value_BHTE = map(_split, self.query_key_value(self.norm(hidden_BTC)).chunk(3, dim=-1))
        offset_key_1HSE = _split(self.offset_key(offsets_SC)[None])
        by_offset_BHTS = (query_BHTE + self.offset_bias_HE[:, None]) @ offset_key_1HSE.transpose(-1, -2)
        bias_BHTT = _shifted(by_offset_BHTS) / math.sqrt(HEAD_WIDTH)
        mixed_BHTE = functional.scaled_dot_product_attention(
            query_BHTE + self.content_bias_HE[:, None].to(query_BHTE.dtype),
            key_BHTE,
            value_BHTE,
            attn_mask=bias_BHTT.to(query_BHTE.dtype) + _key_bias(mask_BT, query_BHTE.dtype),
        )
        added_BTC: Tensor = self.dropout(self.output(_merge(mixed_BHTE)))
        return added_BTC


class RotarySelfAttention(nn.Module):
    """Multi-head self-attention with rotary positions (Su et al., 2021): relative as well, without parameters."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        heads_of(width)
        self.norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden_BTC: Tensor, mask_BT: Tensor) -> Tensor:
        """Return what is to be added to `hidden_BTC`; arguments and result as in `RelativeSelfAttention`."""
        query_BHTE, key_BHTE, value_BHTE = map(_split, self.query_key_value(self.norm(hidden_BTC)).chunk(3, dim=-1))
        frames = torch.arange(hidden_BTC.shape[1], device=hidden_BTC.device)
        sine_TE, cosine_TE = sinusoid(frames, HEAD_WIDTH).to(query_BHTE.dtype).chunk(2, dim=-1)
        mixed_BHTE = functional.scaled_dot_product_attention(
            _rotated(query_BHTE, sine_TE, cosine_TE),
            _rotated(key_BHTE, sine_TE, cosine_TE),
            value_BHTE,
            attn_mask=_key_bias(mask_BT, query_BHTE.dtype),
        )
        added_BTC: Tensor = self.dropout(self.output(_merge(mixed_BHTE)))
        return added_BTC


def _rotated(tensor_BHTE: Tensor, sine_TE: Tensor, cosine_TE: Tensor) -> Tensor:
    """Rotate each pair (first half, second half) of channels by an angle proportional to the frame number."""
    first, second = tensor_BHTE.chunk(2, dim=-1)
    return torch.cat([first * cosine_TE - second * sine_TE, first * sine_TE + second * cosine_TE], dim=-1)


class CrossAttention(nn.Module):
    """Multi-head attention of frames to the tokens of a condition (GAIA section 4.3, "Conditioning").

    The tokens have to differ: if all keys are equal, as when one vector is repeated, the result is the same for every
    query and the layer only adds a vector.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        heads_of(width)
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden_BTC: Tensor, tokens_BMC: Tensor, mask_BM: Tensor | None) -> Tensor:
        """Return what is to be added to `hidden_BTC`.

        Args:
            hidden_BTC: (B, T, C) frames, the queries.
            tokens_BMC: (B, M, C) tokens, keys and values.
            mask_BM: (B, M) True where a token counts, at least one per sequence; None: all do.

        Returns:
            (B, T, C).
        """
        query_BHTE = _split(self.query(self.norm(hidden_BTC)))
        key_BHME, value_BHME = map(_split, self.key_value(tokens_BMC).chunk(2, dim=-1))
        bias = None if mask_BM is None else _key_bias(mask_BM, query_BHTE.dtype)
        mixed_BHTE = functional.scaled_dot_product_attention(query_BHTE, key_BHME, value_BHME, attn_mask=bias)
        added_BTC: Tensor = self.dropout(self.output(_merge(mixed_BHTE)))
        return added_BTC
