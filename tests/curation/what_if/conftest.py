"""What is kept between calls lies in a folder of each test's own."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAIA_CACHE", str(tmp_path / "gaia_cache"))
