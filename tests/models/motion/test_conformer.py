"""The Conformer against arithmetic written out here: loops over frames and heads, from the papers' formulas."""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from models.motion.attention import RelativeSelfAttention, RotarySelfAttention, offsets_embedding
from models.motion.blocks import MotionConformerBlock, MotionTransformerBlock
from models.motion.conditions import BlockConditions
from models.motion.config import MotionDiffusionConfig
from models.motion.conformer import ConvolutionModule, FeedForward, RotaryConformerBlock

Floats = npt.NDArray[np.float64]

FRAMES = 9
WIDTH = 128
HEAD = 64
MASK = torch.arange(FRAMES)[None] < FRAMES - 2


def _array(tensor: torch.Tensor) -> Floats:
    return tensor.detach().double().numpy()


def _linear(layer: nn.Linear, x: Floats) -> Floats:
    y = x @ _array(layer.weight).T
    return y if layer.bias is None else y + _array(layer.bias)


def _layer_norm(layer: nn.LayerNorm, x: Floats) -> Floats:
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    return scaled * _array(layer.weight) + _array(layer.bias)


def _silu(x: Floats) -> Floats:
    return x / (1 + np.exp(-x))


def _softmax(x: Floats) -> Floats:
    e = np.exp(x - x.max())
    return e / e.sum()


def _sinusoid(position: float, width: int) -> Floats:
    angles = [position / 10_000 ** (k / (width // 2)) for k in range(width // 2)]
    return np.array([math.sin(a) for a in angles] + [math.cos(a) for a in angles])


def _attention(
    layer: RelativeSelfAttention | RotarySelfAttention,
    x: Floats,
    score: Callable[[int, Floats, Floats, int, int], float],
) -> Floats:
    """Loop over heads h, queries i and keys j; `score` gets h, q_i, k_j, i, j. The last two frames are padding."""
    query, key, value = np.split(_linear(layer.query_key_value, _layer_norm(layer.norm, x)), 3, axis=-1)
    mixed = np.zeros_like(x)
    for h in range(WIDTH // HEAD):
        part = slice(h * HEAD, (h + 1) * HEAD)
        for i in range(FRAMES):
            scores = [score(h, query[i, part], key[j, part], i, j) / math.sqrt(HEAD) for j in range(FRAMES - 2)]
            mixed[i, part] = _softmax(np.array(scores)) @ value[: FRAMES - 2, part]
    return _linear(layer.output, mixed)


def _relative_attention(layer: RelativeSelfAttention, x: Floats) -> Floats:
    u, v = _array(layer.content_bias_HE), _array(layer.offset_bias_HE)

    def score(h: int, q: Floats, k: Floats, i: int, j: int) -> float:
        r = _linear(layer.offset_key, _sinusoid(i - j, WIDTH))[h * HEAD : (h + 1) * HEAD]
        return float((q + u[h]) @ k + (q + v[h]) @ r)

    return _attention(layer, x, score)


def _rotary_attention(layer: RotarySelfAttention, x: Floats) -> Floats:
    """The pair (k, k + 32) of a head's channels as a complex number, turned by its frequency times the frame."""
    frequency = np.array([10_000 ** (-k / 32) for k in range(32)])

    def score(_: int, q: Floats, k: Floats, i: int, j: int) -> float:
        turned_q = (q[:32] + 1j * q[32:]) * np.exp(1j * frequency * i)
        turned_k = (k[:32] + 1j * k[32:]) * np.exp(1j * frequency * j)
        return float((turned_q * turned_k.conj()).real.sum())

    return _attention(layer, x, score)


def _feed_forward(layer: FeedForward, x: Floats) -> Floats:
    return _linear(layer.narrow, _silu(_linear(layer.widen, _layer_norm(layer.norm, x))))


def _convolution(layer: ConvolutionModule, x: Floats) -> Floats:
    first, second = np.split(_linear(layer.gated, _layer_norm(layer.norm, x)), 2, axis=-1)
    gated = first / (1 + np.exp(-second))
    weight, bias = _array(layer.depthwise.weight), _array(layer.depthwise.bias)
    near = np.zeros_like(x)
    for i in range(FRAMES):
        for c in range(WIDTH):
            taps = [gated[i + k - 6, c] * weight[c, 0, k] for k in range(13) if 0 <= i + k - 6 < FRAMES - 2]
            near[i, c] = sum(taps) + bias[c]
    return _linear(layer.output, _silu(_layer_norm(layer.channel_norm, near)))


def _randomised(layer: nn.Module) -> nn.Module:
    """Every parameter random: norms that scale by 1 and shift by 0 would hide that they are left out."""
    generator = torch.Generator().manual_seed(1)
    for parameter in layer.parameters():
        spread = 0.1 if parameter.ndim > 1 else 0.5
        parameter.data = spread * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return layer.double().eval()


@pytest.fixture
def hidden() -> torch.Tensor:
    return torch.randn(1, FRAMES, WIDTH, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def _assert_equal_in_frames(ours: torch.Tensor, theirs: Floats) -> None:
    np.testing.assert_allclose(_array(ours)[0, : FRAMES - 2], theirs[: FRAMES - 2], atol=1e-6, rtol=0)


def test_relative_attention_equals_a_double_loop_over_frames(hidden: torch.Tensor) -> None:
    layer = _randomised(RelativeSelfAttention(WIDTH, 0.0))
    assert isinstance(layer, RelativeSelfAttention)
    ours = layer(hidden, MASK, offsets_embedding(hidden))
    _assert_equal_in_frames(ours, _relative_attention(layer, _array(hidden)[0]))


def test_rotary_attention_equals_a_double_loop_over_frames(hidden: torch.Tensor) -> None:
    layer = _randomised(RotarySelfAttention(WIDTH, 0.0))
    assert isinstance(layer, RotarySelfAttention)
    _assert_equal_in_frames(layer(hidden, MASK), _rotary_attention(layer, _array(hidden)[0]))


def test_convolution_module_equals_a_loop_over_its_taps(hidden: torch.Tensor) -> None:
    layer = _randomised(ConvolutionModule(WIDTH, 0.0))
    assert isinstance(layer, ConvolutionModule)
    _assert_equal_in_frames(layer(hidden, MASK), _convolution(layer, _array(hidden)[0]))


def test_conformer_block_equals_equation_1_of_gulati_et_al(hidden: torch.Tensor) -> None:
    block = _randomised(RotaryConformerBlock(WIDTH, 96, 0.0))
    assert isinstance(block, RotaryConformerBlock)
    x = _array(hidden)[0]
    x = x + _feed_forward(block.feed_forward_before, x) / 2
    x = x + _rotary_attention(block.attention, x)
    x = x + _convolution(block.convolution, x)
    x = x + _feed_forward(block.feed_forward_after, x) / 2
    _assert_equal_in_frames(block(hidden, MASK), _layer_norm(block.norm, x))


def _conditions(hidden: torch.Tensor) -> BlockConditions:
    generator = torch.Generator().manual_seed(2)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return BlockConditions(
        mask_BT=MASK,
        offsets_SC=offsets_embedding(hidden),
        time_BC=drawn(1, WIDTH),
        speech_BTC=drawn(1, FRAMES, WIDTH),
        reference_B1C=None,
        tokens_BMC=drawn(1, 5, WIDTH),
        token_mask_BM=None,
        text_BLC=None,
        text_mask_BL=None,
    )


def _cross_attention(block: MotionConformerBlock | MotionTransformerBlock, x: Floats, tokens: Floats) -> Floats:
    layer = block.attended.tokens
    assert layer is not None
    query = _linear(layer.query, _layer_norm(layer.norm, x))
    key, value = np.split(_linear(layer.key_value, tokens), 2, axis=-1)
    mixed = np.zeros_like(x)
    for h in range(WIDTH // HEAD):
        part = slice(h * HEAD, (h + 1) * HEAD)
        for i in range(FRAMES):
            mixed[i, part] = _softmax(key[:, part] @ query[i, part] / math.sqrt(HEAD)) @ value[:, part]
    return _linear(layer.output, mixed)


def test_conformer_block_of_the_diffusion_model_takes_time_speech_and_reference_in_the_papers_places(
    hidden: torch.Tensor,
) -> None:
    block = _randomised(MotionConformerBlock(MotionDiffusionConfig(width=WIDTH, layers=1, ffn_width=96)))
    assert isinstance(block, MotionConformerBlock)
    assert block.added.speech is not None
    conditions = _conditions(hidden)
    assert conditions.speech_BTC is not None
    assert conditions.tokens_BMC is not None
    x = _array(hidden)[0] + _linear(block.added.time, _array(conditions.time_BC))
    x = x + _feed_forward(block.feed_forward_before, x) / 2
    x = x + _linear(block.added.speech, _array(conditions.speech_BTC)[0])
    x = x + _relative_attention(block.attention, x)
    x = x + _convolution(block.convolution, x)
    x = x + _cross_attention(block, x, _array(conditions.tokens_BMC)[0])
    x = x + _feed_forward(block.feed_forward_after, x) / 2
    _assert_equal_in_frames(block(hidden, conditions), _layer_norm(block.norm, x))


def test_transformer_block_is_attention_cross_attention_and_one_feed_forward_part(hidden: torch.Tensor) -> None:
    block = _randomised(MotionTransformerBlock(MotionDiffusionConfig(width=WIDTH, layers=1, ffn_width=96)))
    assert isinstance(block, MotionTransformerBlock)
    assert block.added.speech is not None
    conditions = _conditions(hidden)
    assert conditions.speech_BTC is not None
    assert conditions.tokens_BMC is not None
    x = _array(hidden)[0] + _linear(block.added.time, _array(conditions.time_BC))
    x = x + _linear(block.added.speech, _array(conditions.speech_BTC)[0])
    x = x + _relative_attention(block.attention, x)
    x = x + _cross_attention(block, x, _array(conditions.tokens_BMC)[0])
    x = x + _feed_forward(block.feed_forward, x)
    _assert_equal_in_frames(block(hidden, conditions), x)


@pytest.mark.parametrize("before", [1, 7])
def test_attention_and_convolution_do_not_notice_where_a_window_begins(hidden: torch.Tensor, before: int) -> None:
    moved = torch.cat([torch.full((1, before, WIDTH), 3.0, dtype=torch.float64), hidden], dim=1)
    mask = torch.arange(FRAMES + before)[None] >= before
    everywhere = torch.ones(1, FRAMES, dtype=torch.bool)
    relative, rotary = _randomised(RelativeSelfAttention(WIDTH, 0.0)), _randomised(RotarySelfAttention(WIDTH, 0.0))
    convolution = _randomised(ConvolutionModule(WIDTH, 0.0))
    still = relative(hidden, everywhere, offsets_embedding(hidden))
    torch.testing.assert_close(relative(moved, mask, offsets_embedding(moved))[:, before:], still, atol=1e-6, rtol=0)
    torch.testing.assert_close(rotary(moved, mask)[:, before:], rotary(hidden, everywhere), atol=1e-6, rtol=0)
    torch.testing.assert_close(convolution(moved, mask)[:, before:], convolution(hidden, everywhere), atol=1e-6, rtol=0)
