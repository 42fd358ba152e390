"""Reports and labels of datasets that a stranger made: no file of this machine is shown, nothing in a text runs."""

import html
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from helpers.browser import browser, opened
from helpers.made_videos import SmallRun
from helpers.review_pages import data_of
from markdown_it import MarkdownIt
from typer.testing import CliRunner

import curation.review.written_page
from curation.cli.app import app
from curation.dataset_tools.describe import write_card
from curation.review.build import write_label_sheet, write_report
from curation.review.calibration import calibrate
from curation.review.labels import LabelsError
from curation.review.measured_videos import VideoRow
from curation.review.thumbnails import missing_source
from foundation.errors import UsageError

ATTACK = "</script><img src=x onerror=window.hacked=1><b>'\"|`[x](javascript:window.hacked=1)\\"
"""What may stand in a label: it can be printed."""


def copy_of(dataset: Path, folder: Path) -> Path:
    return Path(shutil.copytree(dataset, folder / "dataset"))


def change(file: Path, **columns: object) -> None:
    """Write a value into every row of some columns of a Parquet file."""
    table = pq.read_table(file)
    for name, value in columns.items():
        number = table.schema.get_field_index(name)
        field = table.schema.field(number)
        table = table.set_column(number, field, pa.array([value] * len(table), field.type))
    pq.write_table(table, file, row_group_size=1)


def test_a_report_shows_nothing_of_a_file_that_a_dataset_only_names(small_run: SmallRun, tmp_path: Path) -> None:
    dataset, private = copy_of(small_run.dataset, tmp_path), tmp_path / "private.mp4"
    content = bytearray((small_run.source / "a_talking.mp4").read_bytes())
    content[-1] ^= 1  # of the same size and name, and as good a video
    private.write_bytes(content)
    change(dataset / "videos" / "videos.parquet", path=str(private))
    data = data_of(write_report(dataset, tmp_path / "r.html", media="embed").path)
    assert {card["missing"] for card in data["videos"]} == {"the source has other content now"}
    assert [sample for one in data["criteria"] for sample in one["samples"] if sample["media"]] == []
    sheet = data_of(write_label_sheet(dataset, tmp_path / "s.html", media="embed").path)
    assert [sample for one in sheet["criteria"] for sample in one["samples"] if sample["media"]] == []


def test_a_pipe_in_the_place_of_a_source_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mp4")
    empty: dict[str, Any] = dict.fromkeys(VideoRow.__slots__)
    row = VideoRow(**{**empty, "path": str(tmp_path / "a.mp4"), "size_bytes": 0, "video_id": "0" * 16})
    assert missing_source(row) == "there is no regular file at the recorded place of the source"


def test_a_report_that_cannot_be_written_leaves_nothing_and_an_earlier_one_stays_whole(
    small_run: SmallRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "new" / "r.html"
    monkeypatch.setattr(curation.review.written_page, "MOST_BYTES", 1000)
    with pytest.raises(UsageError, match="and a page has"):
        write_report(small_run.dataset, page, media="link")
    assert list(page.parent.iterdir()) == []


def labels(**changes: object) -> dict[str, object]:
    one = {"criterion": "frontal.vae", "video_id": "0" * 16, "start_s": 0.0, "end_s": 1.0, "value": 3.0}
    one |= {"dropped": True, "stratum": "kept, far", "right": True}
    head = {"format": "gaia-labels", "version": 1, "dataset": "d", "identity": "0" * 16, "draw": "random"}
    return {**head, "criteria": {}, "labels": [one]} | changes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (labels(dataset="x" * 400), "dataset: "),
        (labels(criteria={"x" * 400: {"limit": 1.0, "strata": {}}}), "criteria."),
        (labels(labels=[labels()["labels"]] * 2), "labels.0"),
        (labels(labels=[{}] * 5001), "labels: "),
        (labels(**{"k" * 100_000: 1}), "kkk...: "),
    ],
    ids=["name", "key", "list", "many", "field"],
)
def test_labels_of_strangers_are_refused_in_a_short_sentence(
    content: dict[str, object], message: str, judged: Path, tmp_path: Path
) -> None:
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(content))
    with pytest.raises(LabelsError, match="is no file of labels") as refused:
        calibrate(judged, path)
    assert message in str(refused.value)
    assert len(str(refused.value)) < 1000


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_labels_that_are_no_file_are_not_waited_for(kind: str, judged: Path, tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    {"pipe": lambda: os.mkfifo(path), "device": lambda: path.symlink_to("/dev/zero"), "folder": path.mkdir}[kind]()
    done = CliRunner().invoke(app, ["calibrate", str(judged), str(path)], catch_exceptions=False)
    assert done.exit_code == 2
    assert done.output.startswith(f"gaia-curate: {path} is a")


@pytest.fixture
def attacking(small_run: SmallRun, tmp_path: Path) -> Path:
    """A dataset in which every text that may be anything is an attack."""
    dataset = copy_of(small_run.dataset, tmp_path)
    texts = dict.fromkeys(("source", "speaker_id", "licence", "consent", "language", "age", "gender"), ATTACK)
    change(dataset / "videos" / "videos.parquet", **texts, error_detail=ATTACK, codec=ATTACK, skin_type=ATTACK)
    for path in (dataset / "clips").glob("*.parquet"):
        change(path, **texts, skin_type=ATTACK, person_id=ATTACK, denoiser=ATTACK)
    record = json.loads((dataset / "dataset.json").read_text())
    record |= dict.fromkeys(("software", "software_version", "preset"), ATTACK)
    for one in record["weights"]:
        one |= {"name": ATTACK, "licence": ATTACK}
    for one in record["rules"]:
        one |= {"words": ATTACK, "unit": ATTACK}
    (dataset / "dataset.json").write_text(json.dumps(record))
    return dataset


def test_no_text_of_a_dataset_becomes_markup_in_its_card(attacking: Path) -> None:
    write_card(attacking)
    readme = (attacking / "README.md").read_text()
    _, front, body = readme.split("---\n", 2)
    assert yaml.safe_load(front)["license"] == "other"
    markup = MarkdownIt("commonmark", {"html": True}).enable("table").render(body)
    assert [word for word in ("<img", "<b>", "<script", 'href="javascript:') if word in markup] == []
    assert html.unescape(markup).count(ATTACK) == (attacking / "README.md").read_text().count("onerror")
    assert json.loads((attacking / "croissant.json").read_text())["license"] == [ATTACK]


@pytest.mark.slow
def test_no_text_of_a_dataset_runs_in_a_browser(attacking: Path, tmp_path: Path) -> None:
    write_report(attacking, tmp_path / "r.html")
    write_label_sheet(attacking, tmp_path / "s.html")
    with browser() as chromium:
        for name in ("r.html", "s.html"):
            with opened(chromium, tmp_path / name) as (page, wrong):
                page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
                assert page.evaluate("window.hacked") is None
                assert page.locator("img[src=x]").count() == 0
                assert ATTACK in page.locator("body").inner_text()
                assert wrong == []
