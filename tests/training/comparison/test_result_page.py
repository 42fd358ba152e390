"""The page of an evaluation in a browser without a network."""

from importlib.resources import files
from pathlib import Path

import pytest
from helpers.browser import browser, opened
from helpers.review_pages import HOSTILE
from helpers.square_faces import SquareFaces

from foundation.text import printable
from training import evaluate_outputs

pytestmark = pytest.mark.slow


def test_the_page_shows_figures_and_pictures_and_asks_for_nothing(
    tmp_path: Path, folders: Path, faces: SquareFaces, cache: Path
) -> None:
    name = printable(HOSTILE)
    outputs = {HOSTILE: folders / "right", "short": folders / "short"}
    out = tmp_path / "out"
    table = evaluate_outputs(outputs, folders / "truth", out, faces=faces, cache=cache)
    akd = table.score(name, "akd")
    assert akd is not None
    with browser() as started, opened(started, out / "table.html", width=390) as (page, wrong):
        assert wrong == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        rows = page.locator("main .scroll").first.locator("tbody tr")
        assert rows.locator("th").all_inner_texts() == [name, "short", "truth"]
        assert f"{akd.value:.3f}" in rows.nth(0).inner_text()
        # truth and both systems of `a`, truth and one of the other two; the short one ends before the last picture
        assert page.locator("img").count() == 4 + 4 + 3 + 2 * (4 + 4)
        assert page.evaluate("[...document.images].every((one) => one.complete && one.naturalWidth > 0)")
        assert "ended" in page.locator("main").inner_text()
        page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
        found = page.evaluate("axe.run()")["violations"]
        assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
        assert wrong == []
