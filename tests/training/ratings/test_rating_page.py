"""The rating sheet in a browser without a network: by keys and by hand, large and small, and for everybody."""

import json
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.browser import browser, opened
from helpers.review_pages import HOSTILE, data_of
from playwright.sync_api import Browser, Page, expect

from training import rating_table, write_rating_sheet

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def sheet(outputs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two systems, two videos."""
    path = tmp_path_factory.mktemp("sheet") / "sheet.html"
    write_rating_sheet([str(outputs["ours"]), str(outputs["older"])], path, videos=2, seed=3)
    return path


def serious(page: Page) -> list[str]:
    """Return what axe-core finds that is serious or worse."""
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = page.evaluate("axe.run()")["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in ("serious", "critical")]


def start(page: Page, rater: str) -> None:
    page.get_by_label("Your name or code").fill(rater)
    page.get_by_role("button", name="Start").click()


def saved(page: Page, path: Path) -> dict[str, Any]:
    with page.expect_download() as download:
        page.locator("#save").click()
    download.value.save_as(path)
    return dict(json.loads(path.read_text(encoding="utf-8")))


def test_a_rater_rates_by_keys_and_the_table_reads_what_is_saved(
    chromium: Browser, sheet: Path, tmp_path: Path
) -> None:
    with opened(chromium, sheet) as (page, wrong):
        assert serious(page) == []
        start(page, "  Ann   B. ")
        for number in range(4):
            expect(page.locator("h2")).to_have_text(f"Video {number + 1} of 4")
            expect(page.locator("#next")).to_be_disabled()
            page.keyboard.type("35421")
            expect(page.locator("#next")).to_be_enabled(timeout=30_000)  # when the video has ended
            page.keyboard.press("Enter")
        expect(page.locator("h2")).to_have_text("All videos are rated")
        assert page.evaluate("document.querySelectorAll('video').length") == 0
        ratings = saved(page, tmp_path / "ann.json")
        assert wrong == []
    assert (ratings["rater"], ratings["n_items"]) == ("Ann B.", 4)
    assert [one["position"] for one in ratings["ratings"]] == [0, 1, 2, 3]
    means = [
        [round(score.mean, 2) for score in one.scores.values()]
        for one in rating_table(sheet.with_suffix(".key.json"), [tmp_path / "ann.json"]).systems
    ]
    assert means == [[3.0, 5.0, 4.0, 2.0, 1.0]] * 2
    with opened(chromium, sheet) as (page, wrong):
        page.locator("#open-ratings").set_input_files(tmp_path / "ann.json")
        expect(page.locator("h2")).to_have_text("All videos are rated")
        assert saved(page, tmp_path / "again.json") == ratings
        assert wrong == []


def test_on_a_phone_a_rater_goes_on_where_the_page_was_left(chromium: Browser, sheet: Path, tmp_path: Path) -> None:
    with opened(chromium, sheet, width=390, dark=True) as (page, wrong):
        assert page.locator("html").get_attribute("data-theme") == "dark"
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        start(page, "Bo")
        for row in page.locator("fieldset").all():
            row.locator("label").nth(3).click()
        expect(page.locator("#next")).to_be_enabled(timeout=30_000)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert serious(page) == []
        first = page.locator("label.grade").first.bounding_box()
        assert first is not None
        assert first["height"] >= 44
        page.get_by_role("button", name="Next").click()
        page.get_by_role("button", name="Back").click()
        assert page.locator("input:checked").evaluate_all("(all) => all.map((one) => one.value)") == ["4"] * 5
        page.keyboard.press("n")
        page.locator("label.grade").first.click()
        assert "grade 4 more criteria" in page.locator("#left").inner_text()
        assert len(saved(page, tmp_path / "bo.json")["ratings"]) == 1
        page.reload()
        page.wait_for_selector("html[data-ready]")
        start(page, "bo")
        expect(page.locator("h2")).to_have_text("Video 2 of 4")
        page.get_by_role("button", name="Light colours").click()
        assert page.locator("html").get_attribute("data-theme") == "light"
        assert wrong == []


def test_every_rater_has_an_order_of_their_own(chromium: Browser, outputs: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "sheet.html"
    write_rating_sheet([str(folder) for folder in outputs.values()], path, per_rater=2)
    group_of = {item["id"]: item["group"] for item in data_of(path)["items"]}
    all_orders = "() => [...Array(300).keys()].map((n) => orderFor(`rater ${n}`).map((item) => item.id))"
    with opened(chromium, path) as (page, wrong):
        assert page.locator("h2").inner_text() == "6 videos to rate"
        of_two = page.evaluate(all_orders)
        assert page.evaluate(all_orders) == of_two
        of_three = page.evaluate(f"() => {{ PAGE.per_rater = null; return ({all_orders})(); }}")
        assert wrong == []
    for orders, n_groups in ((of_two, 2), (of_three, 3)):
        for order in orders:
            groups = [group_of[item] for item in order]
            assert len(set(order)) == len(order)
            assert sorted(Counter(groups).values()) == [3] * n_groups
            assert all(one != other for one, other in pairwise(groups))
        # each of 9 items is first 300 / 9 times, give or take four standard deviations
        assert all(33.3 - 22 < n < 33.3 + 22 for n in Counter(order[0] for order in orders).values())
    # two videos of three, which of them is first, the order of each one's results: 3 * 2 * 6 * 6 orders
    assert len(set(map(tuple, of_two))) == pytest.approx(216 * (1 - np.exp(-300 / 216)), abs=25)


def test_a_video_that_does_not_play_cannot_be_rated_and_is_left_out(
    chromium: Browser, outputs: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "sheet.html"
    write_rating_sheet([str(outputs["ours"]), str(outputs["rival"])], path, media="link", videos=1)
    for video in (tmp_path / "sheet_videos").iterdir():
        video.write_bytes(b"not a video")
    with opened(chromium, path) as (page, wrong):
        start(page, "Cy")
        page.keyboard.type("35421")
        expect(page.locator("#left")).to_have_text("To go on: watch the video to its end")
        expect(page.locator("#next")).to_be_disabled()
        page.get_by_role("button", name="Leave it out").click()
        expect(page.locator("h2")).to_have_text("Video 2 of 2")
        ratings = saved(page, tmp_path / "cy.json")
        assert (len(ratings["ratings"]), len(ratings["left_out"])) == (0, 1)
        assert wrong == []


def test_names_and_files_of_strangers_are_checked(chromium: Browser, sheet: Path, tmp_path: Path) -> None:
    with opened(chromium, sheet) as (page, wrong):
        start(page, "zero\u200dwidth")
        expect(page.locator("#start-fault")).to_contain_text("letters, digits or signs")
        for content in ("[", "{}", json.dumps({"format": "gaia-ratings", "rater": 5})):
            (tmp_path / "bad.json").write_text(content, encoding="utf-8")
            page.locator("#open-ratings").set_input_files(tmp_path / "bad.json")
            expect(page.locator("#start-fault")).to_have_text("This file holds no ratings.")
        sheet_id = data_of(sheet)["sheet"]
        item = data_of(sheet)["items"][0]["id"]
        attack = {"format": "gaia-ratings", "sheet": sheet_id, "rater": "<img src=x onerror=alert(1)>"}
        attack |= {"ratings": [None, 7, {"item": HOSTILE, "grades": {}}, {"item": item, "grades": {"jitter": HOSTILE}}]}
        (tmp_path / "bad.json").write_text(json.dumps(attack), encoding="utf-8")
        page.locator("#open-ratings").set_input_files(tmp_path / "bad.json")
        expect(page.locator("h2")).to_have_text("Video 1 of 4")
        assert page.locator("img").count() == 0
        assert "0 of 4 rated" in page.locator("#bar").inner_text()
        assert wrong == []
