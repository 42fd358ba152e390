"""Pages of datasets of every kind: what is missing is said on the page."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
from helpers.made_videos import SmallRun
from helpers.review_pages import HOSTILE, WIDTHS, data_of, hostile_page

from curation.output.folder import DatasetFolder
from curation.output.sole_writer import sole_writer_of_new
from curation.review import build, cards
from curation.review.build import write_label_sheet, write_report
from curation.review.html import page_html
from curation.settings import CurationSettings
from foundation.errors import UsageError


def test_no_name_ends_the_element_that_holds_it() -> None:
    html = page_html(hostile_page())
    before, _, rest = html.partition('id="page-data">')
    data, _, _ = rest.partition("</script>")
    assert json.loads(data)["dataset"] == HOSTILE
    assert not re.search(r"[<>&\u2028]", data)
    assert "<script>window.hacked" not in html
    assert "&lt;/script&gt;" in before  # the title


def test_the_policy_lets_nothing_but_the_scripts_of_the_page_run() -> None:
    html = page_html(replace(hostile_page(), dataset="plain"))
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy.startswith("default-src &#x27;none&#x27;; script-src &#x27;sha256-")
    assert "http" not in policy
    assert "unsafe-eval" not in policy
    assert policy.count("sha256-") == 2


def test_a_report_tells_what_became_of_every_second(small_run: SmallRun, tmp_path: Path) -> None:
    written = write_report(small_run.dataset, tmp_path / "r.html", media="link")
    data = data_of(written.path)
    assert data["facts"]["videos"] == "4"
    assert data["funnel"]["vae"] == {"raw": {"kept": pytest.approx(6.8)}}
    assert [row["code"] for row in data["failures"]] == ["unreadable"]
    assert [card["name"] for card in data["videos"]] == ["a_talking.mp4", "b_mute.mp4"]
    assert [len(card["thumbnails"]) for card in data["videos"]] == [6, 6]
    (silence,) = (card for card in data["criteria"] if card["key"] == "silence.diffusion")
    assert silence["strata"] == {"dropped, no value": 1, "kept, near": 1}
    assert [sample["name"] for sample in silence["samples"]] == ["b_mute.mp4", "a_talking.mp4"]
    assert [card["media"].startswith("r_media/") for card in data["clips"]] == [True, True]
    assert len(list((tmp_path / "r_media").glob("*.mp4"))) == 2
    assert all(card["sheet"].startswith("data:image/jpeg;base64,") for card in data["clips"])
    assert written.size_bytes == written.path.stat().st_size


def test_a_source_that_is_gone_is_told_on_the_page_and_kept_stretches_are_shown_from_clips(
    small_run: SmallRun, tmp_path: Path
) -> None:
    dataset = shutil.copytree(small_run.dataset, tmp_path / "dataset")
    moved = small_run.source.with_name("raw2")
    small_run.source.rename(moved)
    try:
        data = data_of(write_report(dataset, tmp_path / "r.html").path)
    finally:
        moved.rename(small_run.source)
    assert {card["missing"] for card in data["videos"]} == {"the source is not at its recorded place any more"}
    assert any("No pictures of the dropped stretches of 2 videos" in note for note in data["notes"])
    (silence,) = (card for card in data["criteria"] if card["key"] == "silence.diffusion")
    gone, shown = silence["samples"]
    assert (gone["missing"], len(shown["pictures"])) == (None, 3)  # the mute video is kept in tier vae


def test_a_dataset_without_media_clips_and_sources_is_shown_by_its_values(judged: Path, tmp_path: Path) -> None:
    data = data_of(write_report(judged, tmp_path / "r.html", videos=10).path)
    assert (len(data["videos"]), data["n_videos"], data["clips"]) == (10, len(WIDTHS), [])
    assert any("10 of 60 videos, chosen at random" in note for note in data["notes"])
    assert "The dataset has no clips." in data["notes"]
    (small,) = (card for card in data["criteria"] if card["key"] == "small_face.diffusion")
    assert small["limit"] == 100.0
    assert sum(small["histogram"]["kept"]) + sum(small["histogram"]["dropped"]) == 1000
    assert {sample["missing"] for sample in small["samples"]} == {"the source is not at its recorded place any more"}
    values = [sample["value"] for sample in small["samples"] if sample["dropped"]]
    assert values == sorted(values, reverse=True), "the nearest to the limit come first"


def test_clips_whose_media_are_gone_are_told(small_run: SmallRun, tmp_path: Path) -> None:
    dataset = shutil.copytree(small_run.dataset, tmp_path / "dataset")
    shutil.rmtree(dataset / "media")
    data = data_of(write_report(dataset, tmp_path / "r.html", media="embed").path)
    assert [(card["sheet"], card["media"]) for card in data["clips"]] == [(None, None)] * 2
    assert any("2 clips have no picture" in note for note in data["notes"])


def test_an_empty_dataset_gives_a_page_that_says_so(tmp_path: Path) -> None:
    with sole_writer_of_new(tmp_path / "dataset", "test", wait=False):
        DatasetFolder.begin(tmp_path / "dataset", CurationSettings(), weights=[]).finish([])
    data = data_of(write_report(tmp_path / "dataset", tmp_path / "r.html").path)
    assert data["notes"] == ["The dataset has no videos: no run has ended yet.", "The dataset has no clips."]
    sheet = data_of(write_label_sheet(tmp_path / "dataset", tmp_path / "s.html").path)
    assert any("There is nothing to label" in note for note in sheet["notes"])


def test_a_sheet_is_the_same_again_with_the_same_seed(judged: Path, tmp_path: Path) -> None:
    first, again, other = (
        data_of(write_label_sheet(judged, tmp_path / f"{i}.html", n=20, seed=seed, rules=["small_face"]).path)
        for i, seed in enumerate((1, 1, 2))
    )
    assert first == again
    assert first["criteria"] != other["criteria"]
    assert [card["key"] for card in first["criteria"]] == ["small_face.diffusion", "small_face.vae"]
    assert sum(len(card["samples"]) for card in first["criteria"]) == 20


def test_a_small_sheet_says_of_how_many_limits_it_has_no_sample(judged: Path, tmp_path: Path) -> None:
    data = data_of(write_label_sheet(judged, tmp_path / "s.html", n=3).path)
    lacking = sum(bool(card["strata"]) and not card["samples"] for card in data["criteria"])
    assert lacking > 0
    assert any(f"No sample is drawn for {lacking} of {len(data['criteria'])} limits" in note for note in data["notes"])


def test_a_sheet_that_no_browser_opens_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a sheet of 100,000 stretches is too large"):
        write_label_sheet(tmp_path / "no dataset", tmp_path / "s.html", n=100_000, media="embed")


def test_nothing_is_encoded_for_a_page_that_is_full(
    small_run: SmallRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "_PAGE_BYTES", build.MOST_BYTES)  # no room for a single video
    told: list[tuple[int, int]] = []
    page = tmp_path / "s.html"
    with patch.object(cards, "source_video", wraps=cards.source_video) as encoded:
        written = write_label_sheet(
            small_run.dataset, page, n=8, media="embed", on_progress=lambda done, total: told.append((done, total))
        )
    assert encoded.call_count == 1
    assert told == [(1, 2), (2, 2)]
    assert any("no room for 8 samples as a video" in note for note in written.notes)


def test_samples_of_a_sheet_are_videos_with_sound_where_asked(small_run: SmallRun, tmp_path: Path) -> None:
    data = data_of(
        write_label_sheet(small_run.dataset, tmp_path / "s.html", n=2, rules=["silence"], media="embed").path
    )
    (card,) = data["criteria"]
    assert [sample["media"].startswith("data:video/mp4;base64,") for sample in card["samples"]] == [True, True]
