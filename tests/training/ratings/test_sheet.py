import io
import json
import os
import re
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from helpers.made_videos import read_count
from helpers.review_pages import data_of
from typer.testing import CliRunner

import training.ratings.web_video
from training import write_rating_sheet
from training.cli.app import app
from training.ratings.rated_videos import UnusableVideosError
from training.ratings.web_video import web_video

NAMES = ("anna", "ben", "deep/carl")


def key_of(page: Path) -> dict[str, Any]:
    return dict(json.loads(page.with_suffix(".key.json").read_text(encoding="utf-8")))


def test_the_sheet_has_every_video_of_every_system_and_names_none(outputs: dict[str, Path], tmp_path: Path) -> None:
    page = tmp_path / "sheet.html"
    written = write_rating_sheet([f"Best={outputs['ours']}", str(outputs["rival"])], page)
    assert (written.n_systems, written.n_videos) == (2, 3)
    assert written.notes == ("note: 1 name is not in all folders; its videos are left out",)
    key, data = key_of(page), data_of(page)
    assert key["systems"] == ["Best", "rival"]
    assert sorted((i["system"], i["video"]) for i in key["items"].values()) == [
        (system, name) for system in ("Best", "rival") for name in NAMES
    ]
    assert data["sheet"] == key["sheet"]
    by_group: dict[int, set[str]] = {}
    for item in data["items"]:
        by_group.setdefault(item["group"], set()).add(key["items"][item["id"]]["video"])
    assert sorted(map(len, by_group.values())) == [1, 1, 1]
    text = page.read_text(encoding="utf-8")
    text = re.sub('data-kind="video/mp4">[^<]*<', "", text)
    assert not [name for name in ("Best", "rival", "anna", "carl", str(tmp_path)) if name in text]


def test_the_same_seed_writes_the_same_sheet_and_another_one_another(outputs: dict[str, Path], tmp_path: Path) -> None:
    folders = [str(outputs["ours"]), str(outputs["rival"])]
    pages = [tmp_path / f"{number}.html" for number in range(3)]
    for page, seed in zip(pages, (4, 4, 5), strict=True):
        write_rating_sheet(folders, page, seed=seed, videos=2)
    assert pages[0].read_bytes() == pages[1].read_bytes()
    assert key_of(pages[0]) == key_of(pages[1])
    assert key_of(pages[0])["sheet"] != key_of(pages[2])["sheet"]
    assert len(key_of(pages[0])["items"]) == 4


def test_a_video_that_browsers_play_is_left_as_it_is(outputs: dict[str, Path]) -> None:
    path = outputs["ours"] / "anna.mp4"
    video = web_video(path)
    assert (video.content, video.kind, video.encoded_anew) == (path.read_bytes(), "video/mp4", False)
    assert (video.has_sound, web_video(outputs["ours"] / "only.mp4").has_sound) == (True, False)


def tone_start_s(content: bytes) -> float:
    """Return when the tone begins, counted from the first picture."""
    with av.open(io.BytesIO(content)) as stored:
        first_s = next(stored.decode(video=0)).time
    with av.open(io.BytesIO(content)) as stored:
        blocks = [(frame.time, frame.sample_rate, frame.to_ndarray()[0]) for frame in stored.decode(audio=0)]
    loud = next((time, rate, np.abs(block) > 0.1) for time, rate, block in blocks if np.abs(block).max() > 0.1)
    assert first_s is not None
    return float(loud[0] + loud[2].argmax() / loud[1] - first_s)


def test_a_video_that_browsers_do_not_play_keeps_pictures_times_and_sound(outputs: dict[str, Path]) -> None:
    video = web_video(outputs["older"] / "anna.mp4")
    assert video.encoded_anew
    with av.open(io.BytesIO(video.content)) as stored:
        codecs = [stream.codec.canonical_name for stream in (stored.streams.video[0], stored.streams.audio[0])]
        frames = [(frame.time, read_count(frame.to_ndarray(format="rgb24"))) for frame in stored.decode(video=0)]
    assert codecs == ["h264", "aac"]
    assert [count for _, count in frames] == list(range(200, 210))
    assert [time - frames[0][0] for time, _ in frames] == pytest.approx([i / 25 for i in range(10)], abs=1e-3)
    assert tone_start_s(video.content) == pytest.approx(0.2, abs=2e-3)


def test_linked_videos_lie_in_a_folder_under_names_that_tell_nothing(outputs: dict[str, Path], tmp_path: Path) -> None:
    page = tmp_path / "a #1.html"
    write_rating_sheet([str(outputs["ours"]), str(outputs["older"])], page, media="link", videos=1)
    files = sorted(path.name for path in (tmp_path / "a #1_videos").iterdir())
    assert files == sorted(f"{item}.mp4" for item in key_of(page)["items"])
    assert sorted(i["address"] for i in data_of(page)["items"]) == [f"a%20%231_videos/{name}" for name in files]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a #1.html", "a #1.key.json", "a #1_videos"]


def test_a_video_that_cannot_be_read_ends_the_command_and_nothing_is_written(
    outputs: dict[str, Path], tmp_path: Path
) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "anna.mp4").write_bytes(b"no video")
    out = tmp_path / "new" / "sheet.html"
    done = CliRunner().invoke(
        app,
        [
            "rating-sheet",
            "--outputs",
            str(outputs["ours"]),
            "--outputs",
            str(bad),
            "--out",
            str(out),
            "--media",
            "link",
        ],
    )
    assert done.exit_code == 2
    assert "anna.mp4 cannot be decoded" in done.output
    assert list(out.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((), "no folder of videos"),
        (("ours", "ours"), "two systems are named ours"),
        (("ours", "nowhere"), "is no folder"),
        (("ours", "empty"), "holds no video"),
        (("ours", "other"), "no video has the same name"),
        (("ours", "twice"), "videos are matched by name"),
    ],
)
def test_folders_that_cannot_be_compared_are_refused(
    given: tuple[str, ...], message: str, outputs: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("other/zoe.mp4", "twice/anna.mp4", "twice/anna.webm"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    folders = [str(outputs.get(name, tmp_path / name)) for name in given]
    with pytest.raises(UnusableVideosError, match=message):
        write_rating_sheet(folders, tmp_path / "sheet.html")
    assert not (tmp_path / "sheet.html").exists()


def test_more_videos_for_each_rater_than_there_are_is_an_error(outputs: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UnusableVideosError, match="would see 4 videos, and there are 3"):
        write_rating_sheet([str(outputs["ours"]), str(outputs["rival"])], tmp_path / "sheet.html", per_rater=4)


def texts_that_name(target: Path) -> dict[str, str]:
    """Return texts that a decoder could take for a list of what to open."""
    return {
        "HLS": f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{target}\n#EXT-X-ENDLIST\n",
        "concat": f"ffconcat version 1.0\nfile '{target}'\n",
        "SDP": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 45678 RTP/AVP 96\n"
        "a=rtpmap:96 H264/90000\n",
    }


@pytest.mark.parametrize("kind", ["HLS", "concat", "SDP"])
def test_a_text_in_the_place_of_a_video_opens_nothing(kind: str, outputs: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_text(texts_that_name(outputs["ours"] / "anna.mp4")[kind])
    with pytest.raises(UnusableVideosError, match=r"a\.mp4 cannot be decoded"):
        web_video(path)


def test_a_video_is_not_waited_for_and_has_an_end(
    outputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "a.mp4")
    with pytest.raises(UnusableVideosError, match="is a named pipe"):
        web_video(tmp_path / "a.mp4")
    monkeypatch.setattr(training.ratings.web_video, "_MOST_PICTURES", 5)
    with pytest.raises(UnusableVideosError, match="more than 600 s, 5 pictures"):
        web_video(outputs["older"] / "anna.mp4")


def test_a_folder_that_is_a_link_to_itself_is_no_folder(outputs: dict[str, Path], tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(UnusableVideosError, match=r"loop is no folder"):
        write_rating_sheet([str(loop), str(outputs["rival"])], tmp_path / "sheet.html")
