"""Made folders of the form of published data sets: file names and annotation are real, the videos a few bytes."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from curation.sources.discover import Discovery, discover
from curation.sources.layouts import LayoutChoice
from curation.sources.trims import Trim


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    """Write a folder: videos by name, each of other content, and texts."""

    def write(*videos: str, texts: Mapping[str, str] | None = None) -> Path:
        root = tmp_path / "raw"
        for number, name in enumerate(videos):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(bytes([number]))
        for name, text in (texts or {}).items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        return root

    return write


Told = dict[str, tuple[str, str | None, tuple[Trim, ...]]]


@pytest.fixture
def told() -> Callable[..., Told]:
    """List a folder: of each video, by its name below the folder, source, speaker and stretches."""

    def read(root: Path, layout: LayoutChoice = "auto") -> Told:
        found: Discovery = discover(str(root), layout)
        return {str(v.path.relative_to(root)): (v.source, v.speaker_id, v.trims) for v in found.videos}

    return read
