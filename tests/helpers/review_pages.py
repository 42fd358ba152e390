"""Sixty stretches of known truth, and the data in a page."""

import json
from pathlib import Path
from typing import Any

WIDTHS = tuple(range(71, 131))
"""Widths of the faces of the dataset `judged`, pixels, each in a video of its own."""

TICKS = 100


def video_of(width: int) -> str:
    """Return the id of the video with a face of this width."""
    return f"{width:016x}"


def data_of(page: Path) -> dict[str, Any]:
    """Return the data in a page."""
    text = page.read_text(encoding="utf-8")
    start = text.index('id="page-data">') + len('id="page-data">')
    return dict(json.loads(text[start : text.index("</script>", start)]))
