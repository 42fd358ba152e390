"""The size of a page: one that would be too large shows fewer videos and clips, and says so."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TypeVar

import numpy as np

from curation.review.html import page_html
from curation.review.page_data import ClipCard, Page, VideoCard
from foundation.json_text import json_text
from foundation.text import count_text, megabytes

__all__ = ["fitted"]

CardT = TypeVar("CardT", VideoCard, ClipCard)

_LEFT_OUT_AGAIN = 0.9
"""Share that is kept of what was to fit and did not: names in JSON take more than their letters."""


def fitted(page: Page, most_bytes: int, seed: int = 0) -> tuple[Page, bytes]:
    """Return a page and its HTML, with fewer videos and clips, drawn at random, where it would have too many bytes.

    Of a page whose charts and samples alone have more, the HTML that is returned has more bytes.

    Args:
        page: with all cards.
        most_bytes: most that the HTML is to have.
        seed: of the draw.
    """
    content = page_html(page).encode()
    cards = [len(json_text(asdict(card))) for card in page.videos]
    cards += [len(json_text(asdict(card))) for card in page.clips]
    if len(content) <= most_bytes or not cards:
        return page, content
    share = 1 - (len(content) - most_bytes) / sum(cards)
    while len(content) > most_bytes:
        share *= _LEFT_OUT_AGAIN
        videos, clips = _drawn(page.videos, share, seed), _drawn(page.clips, share, seed)
        note = (
            f"Shown of these, chosen at random: {count_text(len(videos), 'timeline')} and "
            f"{count_text(len(clips), 'clip')}; there is no room for more in {megabytes(most_bytes)}."
        )
        content = page_html(smaller := replace(page, videos=videos, clips=clips, notes=[*page.notes, note])).encode()
        if not videos and not clips:
            break
    return smaller, content


def _drawn(cards: Sequence[CardT], share: float, seed: int) -> list[CardT]:
    """Return a share of the cards, in their order."""
    chosen = np.random.default_rng(seed).permutation(len(cards))[: max(0, int(len(cards) * share))]
    return [cards[number] for number in sorted(chosen.tolist())]
