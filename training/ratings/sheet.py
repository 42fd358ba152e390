"""The rating sheet: one page that opens offline and shows one video at a time, and the key that says whose each is.

The page does not name systems or files, so that a rater cannot tell them apart; the key beside it does. The order is
drawn in the page, from the seed and the rater's name.
"""

import base64
import hashlib
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from foundation.html_page import html_page, page_part
from foundation.json_text import json_text
from foundation.storage.atomic import write_bytes_atomic
from foundation.text import count_text, megabytes, shown
from training.ratings.grades import CRITERIA, GRADES
from training.ratings.rated_videos import RatedVideos, UnusableVideosError, hashed, matched_videos
from training.ratings.rating_files import KeyItem, RatingKey
from training.ratings.web_video import WebVideo, web_video

__all__ = ["Media", "WrittenSheet", "write_rating_sheet"]

Media = Literal["embed", "link"]

_MOST_BYTES = 100_000_000
"""Largest page with its videos in it: what a browser opens at once."""

_PACKAGE = "training.ratings"

_SCRIPTS = ("order.js", "answers.js", "views.js")
"""In the order in which they run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenSheet:
    """A rating sheet that was written; its `str` is a report for people."""

    page: Path
    """The HTML file for the raters."""
    key: Path
    """The JSON file that says whose each video is."""
    size_bytes: int
    """Of the page."""
    n_systems: int
    """Systems that are compared."""
    n_videos: int
    """Videos of each system."""
    notes: tuple[str, ...]
    """What raters should know, or what was left out."""

    def __str__(self) -> str:
        """Return what was written."""
        what = f"{count_text(self.n_videos, 'video')}, each of {count_text(self.n_systems, 'system')}"
        lines = [
            f"{self.page}: {megabytes(self.size_bytes)}, {what}; send it to the raters",
            f"{self.key}: whose each video is; keep it for `gaia-train rating-table`, and away from the raters",
        ]
        return shown("\n".join([*lines, *self.notes]), several_lines=True)


@dataclass(frozen=True, slots=True)
class _Item:
    id: str
    group: int
    """Number of the video, the same for all systems; in no order that tells its name."""
    address: str | None
    """Of the file, relative to the page; None: the video is in the page."""


def write_rating_sheet(
    outputs: Sequence[str],
    out: str | Path,
    *,
    videos: int | None = None,
    per_rater: int | None = None,
    media: Media = "embed",
    seed: int = 0,
) -> WrittenSheet:
    """Write a page on which people rate videos of several systems for the five criteria of section 5.1.

    Args:
        outputs: folders of videos, one a system, or NAME=FOLDER; matched by name without suffix.
        out: the HTML file, which is replaced; the key lies beside it, as `.key.json`.
        videos: draw this many of the names that all systems have; None: take all.
        per_rater: videos that each rater sees, drawn for each; of each, the results of all systems. None: all.
        media: `embed` puts the videos into the page, 100 MB at most; `link` writes them into a folder beside it.
        seed: of the draws and of the raters' orders.

    Raises:
        UnusableVideosError: the videos do not match, cannot be read, or are too large.
        OSError: a file cannot be written.
    """
    page = Path(out)
    matched = matched_videos(outputs, most=videos, seed=seed)
    if per_rater is not None and per_rater > len(matched.videos):
        raise UnusableVideosError(
            f"each rater would see {per_rater} videos, and there are {len(matched.videos)}; give a smaller number"
        )
    key_path = page.with_suffix(".key.json")
    folder = page.with_name(f"{page.stem}_videos")
    page.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=page.parent, prefix=f".{page.stem}-") as hidden:
        kept = _Kept(matched, seed, Path(hidden) if media == "link" else None, folder.name)
        sheet = hashed("sheet", seed, str(per_rater), *kept.contents)
        data = {
            "sheet": sheet,
            "seed": seed,
            "per_rater": per_rater,
            "criteria": [asdict(criterion) for criterion in CRITERIA],
            "grades": GRADES,
            "items": [asdict(item) for item in sorted(kept.items, key=lambda item: item.id)],
        }
        content = _page(data, "\n".join(sorted(kept.embedded)))
        if media == "link":
            folder.mkdir(exist_ok=True)
            for path in Path(hidden).iterdir():
                path.replace(folder / path.name)
    key = RatingKey(
        format="gaia-rating-key", version=1, sheet=sheet, seed=seed, systems=matched.systems, items=kept.key_items
    )
    write_bytes_atomic(key_path, f"{json_text(key.model_dump(mode='json'), indent=1)}\n".encode())
    write_bytes_atomic(page, content)
    return WrittenSheet(
        page=page,
        key=key_path,
        size_bytes=len(content),
        n_systems=len(matched.systems),
        n_videos=len(matched.videos),
        notes=tuple(_notes(matched, kept)),
    )


class _Kept:
    """The videos of a sheet, read one after another, as the page gets them."""

    def __init__(self, matched: RatedVideos, seed: int, hidden: Path | None, folder: str) -> None:
        self.items: list[_Item] = []
        self.key_items: dict[str, KeyItem] = {}
        self.embedded: list[str] = []
        self.contents: list[str] = []
        self.silent: Counter[str] = Counter()
        self.encoded_anew: Counter[str] = Counter()
        self._hidden, self._folder, self._left = hidden, folder, _MOST_BYTES
        groups = sorted(matched.videos, key=lambda name: hashed("group", seed, name))
        for group, name in enumerate(groups):
            for system in matched.systems:
                video = web_video(matched.paths[system, name])
                item = hashed("item", seed, system, name)
                address = self._address(item, video)
                self.items.append(_Item(item, group, address))
                self.key_items[item] = KeyItem(system=system, video=name)
                self.contents += [item, hashlib.sha256(video.content).hexdigest()]
                self.silent[system] += not video.has_sound
                self.encoded_anew[system] += video.encoded_anew

    def _address(self, item: str, video: WebVideo) -> str | None:
        """Keep a video; return its address, or None if it is in the page."""
        if self._hidden is not None:
            (self._hidden / f"{item}{video.suffix}").write_bytes(video.content)
            return quote(f"{self._folder}/{item}{video.suffix}")
        text = base64.b64encode(video.content).decode("ascii")
        self._left -= len(text)
        if self._left < 0:
            raise UnusableVideosError(
                f"the page would have more than {_MOST_BYTES // 1_000_000} MB; give --videos with a smaller number, or "
                "--media link, which writes the videos into a folder beside the page"
            )
        self.embedded.append(f'<script type="text/plain" id="video-{item}" data-kind="{video.kind}">{text}</script>')
        return None


def _page(data: object, videos: str) -> bytes:
    scripts = [page_part("foundation", "elements.js"), *(page_part(_PACKAGE, name) for name in _SCRIPTS)]
    return html_page(
        page_part(_PACKAGE, "sheet.html"),
        title="Rate talking videos",
        style=page_part(_PACKAGE, "sheet.css"),
        data=data,
        scripts={"script": "\n".join(scripts)},
        html={"videos": videos},
    ).encode()


def _notes(matched: RatedVideos, kept: _Kept) -> list[str]:
    notes = []
    if matched.n_unmatched:
        what = "name is not in all folders; its" if matched.n_unmatched == 1 else "names are not in all folders; their"
        notes.append(f"note: {matched.n_unmatched} {what} videos are left out")
    for counts, what in (
        (kept.silent, "have no sound, so that their lips cannot be judged"),
        (kept.encoded_anew, "are encoded anew, almost without loss, because browsers do not play them as they are"),
    ):
        if of_systems := ", ".join(f"{n} of {system}" for system, n in counts.items() if n):
            notes.append(f"note: some videos {what}: {of_systems}")
    return notes
