import pytest
import torch

from models.motion.attention import CrossAttention, heads_of
from models.motion.tokens import ReferenceTokens


def _spread_over_queries(added_BTC: torch.Tensor) -> float:
    """Largest standard deviation of any channel over the frames, relative to the layer's own scale."""
    return float((added_BTC.detach().std(dim=1) / added_BTC.detach().abs().mean()).max())


def _attention_and_frames() -> tuple[CrossAttention, torch.Tensor]:
    torch.manual_seed(0)
    attention = CrossAttention(128, 0.0).eval()
    return attention, torch.randn(2, 30, 128)


def test_frames_find_different_things_in_the_tokens_of_a_reference() -> None:
    attention, hidden_BTC = _attention_and_frames()
    tokens_BKC = ReferenceTokens(256, 3, 128, channels_first=True)(torch.randn(2, 768))
    assert _spread_over_queries(attention(hidden_BTC, tokens_BKC, None)) > 1e-2


def test_one_vector_repeated_makes_cross_attention_an_addition() -> None:
    attention, hidden_BTC = _attention_and_frames()
    tokens_BKC = torch.randn(2, 1, 128).expand(2, 256, 128)
    assert _spread_over_queries(attention(hidden_BTC, tokens_BKC, None)) < 1e-5


def test_cross_attention_leaves_out_masked_tokens() -> None:
    attention, hidden_BTC = _attention_and_frames()
    tokens_BMC = torch.randn(2, 9, 128)
    mask_BM = torch.arange(9).expand(2, 9) < torch.tensor([[4], [9]])
    masked = attention(hidden_BTC, tokens_BMC, mask_BM)
    torch.testing.assert_close(masked[:1], attention(hidden_BTC[:1], tokens_BMC[:1, :4], None))
    torch.testing.assert_close(masked[1:], attention(hidden_BTC[1:], tokens_BMC[1:], None))


def test_width_that_is_no_multiple_of_a_head_is_refused() -> None:
    assert [heads_of(width) for width in (512, 1280, 2048)] == [8, 20, 32]
    with pytest.raises(ValueError, match="width is 100; give a multiple of 64"):
        heads_of(100)


def test_reference_tokens_are_the_places_of_a_latent_or_the_points_of_a_face() -> None:
    torch.manual_seed(0)
    latent_BD = torch.randn(2, 3, 4, 4).flatten(1)
    points_BD = torch.randn(2, 16, 2).flatten(1)
    for channels_first, channels, reference_BD in ((True, 3, latent_BD), (False, 2, points_BD)):
        tokens = ReferenceTokens(16, channels, 64, channels_first=channels_first)
        changed_BD = reference_BD.clone()
        place = 5
        if channels_first:
            changed_BD.view(2, 3, 16)[:, :, place] += 1.0
        else:
            changed_BD.view(2, 16, 2)[:, place] += 1.0
        moved_K = (tokens(changed_BD) != tokens(reference_BD)).any(-1)[0]
        assert moved_K.nonzero().flatten().tolist() == [place]
