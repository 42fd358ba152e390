"""A page that would be too large shows less, at random, and says so."""

from dataclasses import replace
from pathlib import Path

import pytest
from helpers.review_pages import HOSTILE, data_of, hostile_page

from curation.review import written_page
from curation.review.build import write_report
from curation.review.html import page_html
from curation.review.page_data import ClipCard
from curation.review.page_room import fitted
from foundation.errors import UsageError

SHEET = "data:image/jpeg;base64," + "A" * 20_000


def _clip(number: int) -> ClipCard:
    return ClipCard(
        clip_id=f"clip {number:03d}",
        name=HOSTILE,
        source=HOSTILE,
        speaker=None,
        tier="vae",
        split="train",
        start_s=0.0,
        duration_s=3.0,
        snr_db=None,
        loudness_lufs=None,
        sync=None,
        sheet=SHEET,
        media=None,
    )


def test_as_many_cards_as_find_room_are_shown() -> None:
    page = replace(hostile_page(), clips=[_clip(number) for number in range(100)])
    empty = len(page_html(replace(page, clips=[])).encode())
    same, content = fitted(page, empty + 3_000_000)
    assert same is page
    assert content == page_html(page).encode()
    smaller, content = fitted(page, empty + 1_000_000)
    names = [clip.clip_id for clip in smaller.clips]
    assert len(content) <= empty + 1_000_000
    assert 40 <= len(names) <= 50  # each takes a little more than 20,000 bytes
    assert names == sorted(names)
    assert names != [clip.clip_id for clip in page.clips[: len(names)]], "drawn, not the first"
    assert f"chosen at random: 0 timelines and {len(names)} clips" in smaller.notes[-1]
    assert "1 MB" not in page.notes
    nothing, content = fitted(page, empty - 1)
    assert nothing.clips == []
    assert len(content) > empty - 1


def test_a_report_keeps_to_the_bound_with_all_its_samples_or_is_refused(
    judged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = write_report(judged, tmp_path / "whole.html")
    cards = data_of(whole.path)
    monkeypatch.setattr(written_page, "MOST_BYTES", whole.size_bytes - 40_000)
    smaller = write_report(judged, tmp_path / "smaller.html")
    assert smaller.size_bytes == smaller.path.stat().st_size <= whole.size_bytes - 40_000
    told = data_of(smaller.path)
    assert 0 < len(told["videos"]) < len(cards["videos"]) == 60
    assert told["criteria"] == cards["criteria"]
    assert f"{len(told['videos'])} timeline" in smaller.text()
    monkeypatch.setattr(written_page, "MOST_BYTES", 1_000_000)
    with pytest.raises(UsageError, match=r"has 1\.0 MB at most; give smaller numbers of videos"):
        write_report(judged, tmp_path / "refused.html")
    assert not (tmp_path / "refused.html").exists()
