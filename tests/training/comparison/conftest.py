from pathlib import Path

import pytest
from helpers.square_faces import SquareFaces, square_video


@pytest.fixture
def faces() -> SquareFaces:
    return SquareFaces()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """True videos `a`, `b` and `deep/c` of 30 pictures whose square moves evenly, and results of three systems.

    Those of `exact` are copies, those of `right` show the square 4 pixels further right; `short` has the first 20
    pictures of `a`, whose last 5 show no square.
    """
    root = tmp_path_factory.mktemp("results")
    for number, name in enumerate(("a", "b", "deep/c")):
        path: list[int | None] = [4 + number + k for k in range(30)]
        made = square_video(root / "truth" / f"{name}.mp4", path)
        copy = root / "exact" / f"{name}.mp4"
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(made.read_bytes())
        square_video(root / "right" / f"{name}.mkv", [8 + number + k for k in range(30)])
    square_video(root / "short" / "a.mp4", [*range(4, 19), *([None] * 5)])
    return root
