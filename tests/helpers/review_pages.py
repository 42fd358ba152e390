"""Sixty stretches of known truth, the data in a page, and a page in which every name is an attack."""

import json
from pathlib import Path
from typing import Any

from curation.review.page_data import FailureRow, Page, SpeakerRow

WIDTHS = tuple(range(71, 131))
"""Widths of the faces of the dataset `judged`, pixels, each in a video of its own."""

TICKS = 100

HOSTILE = "</script><script>window.hacked=1</script>\"'`\u2028\x1b[2J<img src=x onerror=alert(1)>&amp;"
"""A name that ends elements, quotes and lines."""


def video_of(width: int) -> str:
    """Return the id of the video with a face of this width."""
    return f"{width:016x}"


def data_of(page: Path) -> dict[str, Any]:
    """Return the data in a page."""
    text = page.read_text(encoding="utf-8")
    start = text.index('id="page-data">') + len('id="page-data">')
    return dict(json.loads(text[start : text.index("</script>", start)]))


def hostile_page() -> Page:
    """Return a page in which every name is an attack."""
    seconds = {HOSTILE: {"kept": 10.0, "silence": 5.0}}
    return Page(
        kind="report",
        dataset=HOSTILE,
        identity="0" * 16,
        draw="nearest",
        made_by=HOSTILE,
        facts={HOSTILE: HOSTILE},
        notes=[HOSTILE],
        tiers=["diffusion", "vae"],
        outcomes=["kept", "silence"],
        funnel={"diffusion": seconds, "vae": seconds},
        speakers=[SpeakerRow(name=HOSTILE, source=HOSTILE, clips=1, kept_s=3.0)],
        n_speakers=1,
        n_clips=1,
        failures=[FailureRow(name=HOSTILE, source=HOSTILE, status="failed", code="unreadable", detail=HOSTILE)],
        n_failures=1,
    )
