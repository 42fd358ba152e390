"""The page in a browser without a network: every control, keys and labels, small and large, and for everybody."""

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from helpers.browser import browser, opened
from helpers.made_videos import SmallRun
from helpers.review_pages import HOSTILE, data_of, hostile_page
from playwright.sync_api import Browser, Page

from curation.review.build import write_label_sheet, write_report
from curation.review.html import page_html

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def report(small_run: SmallRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(small_run.dataset, path, media="embed")
    return path


def serious(page: Page) -> list[str]:
    """Return what axe-core finds that is serious or worse."""
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = page.evaluate("axe.run()")["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in ("serious", "critical")]


def drawn(page: Page, section: str) -> int:
    """Scroll a section into view and return how many of its charts have been drawn."""
    page.locator(f"#{section}").scroll_into_view_if_needed()
    page.wait_for_selector(f"#{section} .chart[data-drawn]")
    return page.locator(f"#{section} .chart[data-drawn]").count()


@pytest.mark.parametrize(("width", "dark"), [(1440, False), (390, True)])
def test_the_page_can_be_used_by_everybody_at_any_width(
    chromium: Browser, report: Path, width: int, dark: bool
) -> None:
    with opened(chromium, report, width=width, dark=dark) as (page, wrong):
        assert page.locator("html").get_attribute("data-theme") == ("dark" if dark else "light")
        assert [drawn(page, name) > 0 for name in ("funnel", "rules", "videos", "measures")] == [True] * 4
        assert serious(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert wrong == []


def test_every_control_of_the_report_does_what_it_says(chromium: Browser, report: Path) -> None:
    with opened(chromium, report) as (page, wrong):
        assert page.locator("nav a").all_inner_texts() == [
            "Funnel", "Rules", "Videos", "Clips", "Figures", "Speakers", "Failures",
        ]  # fmt: skip
        funnel = page.locator("#funnel")
        assert "silence" in funnel.locator("tbody").inner_text()
        funnel.get_by_label("Tier", exact=True).select_option("vae")
        assert "silence" not in funnel.locator("tbody").inner_text()
        funnel.get_by_label("Source", exact=True).select_option("raw")
        assert "kept" in funnel.locator("tbody").inner_text()

        rules = page.locator("#rules")
        rules.get_by_label("Rule", exact=True).select_option("frontal")
        assert rules.locator("h3").all_inner_texts() == ["frontal, tier diffusion", "frontal, tier vae"]
        rules.get_by_label("Rule", exact=True).select_option("")
        assert rules.locator("h3").count() == len(data_of(report)["criteria"])
        rules.get_by_label("Logarithmic scale", exact=True).uncheck()
        rules.get_by_label("Samples", exact=True).uncheck()
        assert rules.locator(".sample").count() == 0
        rules.get_by_label("Samples", exact=True).check()
        assert rules.locator(".sample").count() == len([s for c in data_of(report)["criteria"] for s in c["samples"]])

        videos = page.locator("#videos")
        names = videos.locator(".video h3")
        assert names.all_inner_texts() == ["a_talking.mp4", "b_mute.mp4"]
        videos.get_by_label("Order", exact=True).select_option("lost")
        assert names.all_inner_texts() == ["b_mute.mp4", "a_talking.mp4"]
        videos.get_by_label("Outcome", exact=True).select_option("silence")
        assert names.all_inner_texts() == ["b_mute.mp4"]
        videos.get_by_label("Outcome", exact=True).select_option("")
        videos.get_by_label("Name, path or speaker", exact=True).fill("TALKING")
        assert names.all_inner_texts() == ["a_talking.mp4"]
        videos.get_by_label("Curve", exact=True).select_option("frontal")
        videos.locator("summary").click()
        assert "kept" in videos.locator("tbody").inner_text()
        videos.get_by_label("Source", exact=True).select_option("raw")

        clips = page.locator("#clips")
        clips.get_by_label("Tier", exact=True).select_option("vae")
        assert clips.locator(".clip").all_inner_texts()[0].startswith("b_mute.mp4")
        clips.get_by_label("Tier", exact=True).select_option("")
        clips.get_by_label("Order", exact=True).select_option("long")
        clips.get_by_label("Name or speaker", exact=True).fill("talking")
        assert clips.locator(".clip").count() == 1
        for name in ("Source", "Split"):
            clips.get_by_label(name, exact=True).select_option("")

        page.locator("#failures").get_by_label("Code", exact=True).select_option("unreadable")
        assert "c_broken.mp4" in page.locator("#failures tbody").inner_text()
        page.get_by_role("button", name="Dark colours").click()
        assert page.locator("html").get_attribute("data-theme") == "dark"
        assert wrong == []


def test_a_piece_of_a_timeline_tells_its_value_under_the_pointer(chromium: Browser, report: Path) -> None:
    with opened(chromium, report) as (page, wrong):
        page.locator("#videos").get_by_label("Name, path or speaker", exact=True).fill("mute")
        drawn(page, "videos")
        chart = page.locator("#videos .chart")
        chart.scroll_into_view_if_needed()
        chart.locator(".bars .point").first.hover(force=True)
        page.wait_for_selector("#videos .hoverlayer .hovertext")
        said = str(page.locator("#videos .hoverlayer").text_content())
        assert "0:00.00 to 0:03.40: dropped: silence, not measured" in said
        assert "(kept is at most 1.25 s)" in said
        assert wrong == []


def test_an_embedded_clip_plays_with_its_sound(chromium: Browser, report: Path) -> None:
    with opened(chromium, report) as (page, wrong):
        video = page.locator("#clips video").first
        video.evaluate("async (video) => { video.muted = true; await video.play(); video.pause(); }")
        assert video.evaluate("(video) => video.duration") == pytest.approx(3.4, abs=0.1)
        assert video.evaluate("(video) => video.videoWidth") == 256
        assert wrong == []


def test_a_linked_clip_plays_from_the_folder_beside_the_page(
    chromium: Browser, small_run: SmallRun, tmp_path: Path
) -> None:
    write_report(small_run.dataset, tmp_path / "r.html", media="link", videos=1)
    with opened(chromium, tmp_path / "r.html") as (page, wrong):
        video = page.locator("#clips video").first
        video.evaluate("async (video) => { video.muted = true; await video.play(); video.pause(); }")
        assert video.evaluate("(video) => video.duration") == pytest.approx(3.4, abs=0.1)
        assert wrong == []


def test_samples_are_labelled_by_keys_and_saved_and_opened_again(
    chromium: Browser, small_run: SmallRun, tmp_path: Path
) -> None:
    sheet = tmp_path / "sheet.html"
    write_label_sheet(small_run.dataset, sheet, n=4, rules=["silence", "frontal"])
    with opened(chromium, sheet) as (page, wrong):
        samples = page.locator(".sample")
        assert samples.count() == 4
        page.keyboard.press("j")
        page.keyboard.press("r")  # goes on to the next
        page.keyboard.press("w")
        page.keyboard.press("w")
        page.keyboard.press("k")
        page.keyboard.press("u")
        assert "2 of 4 samples labelled: 1 right, 1 wrong" in page.locator("#labels-bar").inner_text()
        samples.nth(3).get_by_role("button").last.click()
        with page.expect_download() as saved:
            page.get_by_role("button", name="Save labels").click()
        saved.value.save_as(tmp_path / "labels.json")
        page.get_by_label("Only those without a label", exact=True).check()
        assert page.locator(".sample:visible").count() == 1
        assert serious(page) == []
        assert wrong == []
    labels = json.loads((tmp_path / "labels.json").read_text(encoding="utf-8"))
    data = data_of(sheet)
    assert (labels["identity"], labels["draw"]) == (data["identity"], "random")
    assert sorted(label["right"] for label in labels["labels"]) == [False, False, True]
    with opened(chromium, sheet) as (page, wrong):
        page.locator("#open-labels").set_input_files(tmp_path / "labels.json")
        page.wait_for_function("document.getElementById('labels-bar').innerText.includes('3 of 4 samples labelled')")
        (tmp_path / "other.json").write_text("{}", encoding="utf-8")
        page.locator("#open-labels").set_input_files(tmp_path / "other.json")
        page.wait_for_function("document.getElementById('spoken').textContent === 'This file holds no labels.'")
        assert wrong == []


def test_hostile_names_are_shown_and_never_run(chromium: Browser, tmp_path: Path) -> None:
    path = tmp_path / "hostile.html"
    path.write_text(page_html(hostile_page()), encoding="utf-8")
    with opened(chromium, path) as (page, wrong):
        drawn(page, "speakers")
        assert drawn(page, "funnel") == 1
        page.locator("#funnel").get_by_label("Source", exact=True).select_option(HOSTILE)
        assert page.evaluate("window.hacked") is None
        assert page.locator("img").count() == 0
        assert HOSTILE[:40] in str(page.locator("h1").text_content())
        assert "<img src=x" in str(page.locator("#speakers .chart").text_content())
        assert wrong == []
