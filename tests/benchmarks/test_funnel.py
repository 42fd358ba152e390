import dataclasses
import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.funnel.commands import Checkout, run_command
from benchmarks.funnel.datasets import compared
from benchmarks.funnel.films import first_films
from benchmarks.funnel.pictures import beside, cartoon, fitted, inset, scenery, slide, video_pictures
from benchmarks.funnel.recipe import MIXES

Clip = tuple[str, str, float, bytes, bytes]
"""Id, tier, an angle, the bytes of the video, those of the sound."""

CLIPS: Sequence[Clip] = (
    ("a-0-9", "diffusion", 3.0, b"video of a", b"sound of a"),
    ("b-0-9", "vae", math.nan, b"video of b", b"sound of b"),
)


def test_equal_datasets_do_not_differ_wherever_the_media_lie(tmp_path: Path) -> None:
    found = compared(_dataset(tmp_path / "one", CLIPS), _dataset(tmp_path / "other", CLIPS[::-1]))
    assert (found.clips, found.differing) == ((2, 2), 0)


@pytest.mark.parametrize("kind", ["mp4", "flac"])
def test_one_changed_byte_of_the_media_is_found(kind: str, tmp_path: Path) -> None:
    one = _dataset(tmp_path / "one", CLIPS)
    other = _dataset(tmp_path / "other", CLIPS)
    tar = other / "media" / "all.tar"
    content = tar.read_bytes()
    tar.write_bytes(content.replace(b"video of b" if kind == "mp4" else b"sound of b", b"X" * 10))
    found = compared(one, other)
    assert (found.mp4, found.flac, found.rows, found.differing) == (kind == "mp4", kind == "flac", 0, 1)


def test_missing_and_added_clips_are_named(tmp_path: Path) -> None:
    found = compared(_dataset(tmp_path / "one", CLIPS[:1]), _dataset(tmp_path / "other", CLIPS[1:]))
    assert (found.missing, found.added, found.differing) == (["a-0-9"], ["b-0-9"], 2)


def test_a_changed_value_is_counted_by_column_with_the_largest_difference(tmp_path: Path) -> None:
    changed = [("a-0-9", "diffusion", 3.5, *CLIPS[0][3:]), CLIPS[1]]
    found = compared(_dataset(tmp_path / "one", CLIPS), _dataset(tmp_path / "other", changed))
    printed = json.loads(json.dumps(dataclasses.asdict(found)))
    assert (printed["columns"], printed["largest"], found.differing) == ({"angle": 1}, {"angle": 0.5}, 1)


def test_clips_of_another_tier_are_left_out(tmp_path: Path) -> None:
    one, other = _dataset(tmp_path / "one", CLIPS), _dataset(tmp_path / "other", CLIPS[:1])
    assert compared(one, other, tier="diffusion").differing == 0
    assert compared(one, other).missing == ["b-0-9"]


def test_features_turned_by_60_degrees_have_a_cosine_of_a_half(tmp_path: Path) -> None:
    turned = [math.cos(math.radians(60)), math.sin(math.radians(60))]
    one = _dataset(tmp_path / "one", CLIPS[:1], features=[[[1.0, 0.0], [0.0, 2.0]]])
    other = _dataset(tmp_path / "other", CLIPS[:1], features=[[turned, [0.0, 2.0]]])
    assert compared(one, other).least_cosine == pytest.approx(0.5)


def _dataset(folder: Path, clips: Sequence[Clip], features: list[list[list[float]]] | None = None) -> Path:
    """Write the tables and the tar of a dataset as far as they are compared."""
    for name in ("clips", "media"):
        (folder / name).mkdir(parents=True)
    content, offsets = b"", []
    for *_, video, sound in clips:
        offsets.append((len(content), len(content) + len(video)))
        content += video + sound
    (folder / "media" / "all.tar").write_bytes(content)
    ids, tiers, angles, videos, sounds = ([clip[k] for clip in clips] for k in range(5))
    columns = {
        "clip_id": ids,
        "tier": tiers,
        "angle": angles,
        "speech_features": [[[1.0]] for _ in clips] if features is None else features,
        "media": ["media/all.tar"] * len(clips),
        "mp4_offset": [first for first, _ in offsets],
        "mp4_size": [len(video) for video in videos],  # type: ignore[arg-type]
        "flac_offset": [second for _, second in offsets],
        "flac_size": [len(sound) for sound in sounds],  # type: ignore[arg-type]
    }
    pq.write_table(pa.table(columns), folder / "clips" / "all.parquet")
    return folder


def test_the_raw_mix_lasts_20_minutes_of_which_a_seventh_is_talk() -> None:
    films = MIXES["raw"]()
    assert sum(film.seconds for film in films) == pytest.approx(1200.0)
    talk_s = sum(p.seconds for film in films for p in film.pieces if p.layout == "full" and p.seconds in _TALKS_S)
    assert talk_s >= 0.14 * 1200.0


_TALKS_S = {20, 23, 22}


def test_the_beginning_of_a_mix_ends_within_a_piece() -> None:
    films = MIXES["kept"]()
    chosen = first_films(films, 1.0)
    assert [film.name for film in chosen] == [films[0].name, films[1].name]
    assert [film.seconds for film in chosen] == [48.0, 12.0]
    assert first_films(films, None) == films


def test_frames_of_a_video_are_those_shown_at_each_time_and_begin_again(tmp_path: Path) -> None:
    path = tmp_path / "grey.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "bgr0"
        for level in (10, 60, 110, 160):
            picture = np.full((16, 16, 3), level, np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="bgr0")))
        output.mux(stream.encode())
    # At 20 frames a second each picture is shown twice; the first one is over after 0.1 s.
    levels = [int(picture[0, 0, 0]) for picture in itertools.islice(video_pictures(path, 0.1, 20), 8)]
    assert levels == [60, 60, 110, 110, 160, 160, 10, 10]


@pytest.mark.parametrize("size_px", [(640, 360), (360, 640)])
def test_every_layout_fills_its_frame(size_px: tuple[int, int]) -> None:
    width, height = size_px
    white = np.full((100, 80, 3), 255, np.uint8)
    drawn = [draw(1.0, width, height) for draw in (cartoon, scenery, slide)]
    laid_out = [fitted(white, width, height), beside(white, white, width, height), inset(white, drawn[0])]
    assert {picture.shape for picture in (*drawn, *laid_out)} == {(height, width, 3)}
    assert all((first != second).any() for first, second in itertools.pairwise(drawn))


def test_drawn_pictures_move() -> None:
    assert all((draw(1.0, 640, 360) != draw(1.2, 640, 360)).any() for draw in (cartoon, scenery, slide))


def test_the_cost_of_a_command_has_its_children_and_its_peak(tmp_path: Path) -> None:
    program = """
import subprocess, sys, time
def main():
    held = bytearray(150 << 20)
    child = "import time\\nwhile time.process_time() < 0.6: pass"
    subprocess.run([sys.executable, "-c", child], check=True)
    open(sys.argv[sys.argv.index("--out") + 1], "w").write(" ".join(sys.argv))
    time.sleep(0.5)
"""
    package = tmp_path / "checkout" / "curation"
    (package / "cli").mkdir(parents=True)
    for folder in (package, package / "cli"):
        (folder / "__init__.py").touch()
    (package / "cli" / "app.py").write_text(program)
    checkout = Checkout(path=tmp_path / "checkout", overrides=("b=2",))
    checkout.check()
    cost = run_command(checkout, tmp_path, tmp_path / "dataset", 1, ["a=1"])
    assert cost.cpu_s >= 0.6
    assert cost.driver_mib >= 150
    assert cost.worker_mib == 0.0
    assert (tmp_path / "dataset").read_text().endswith("--executor inline --set=a=1 --set=b=2")


def test_a_folder_without_the_packages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="is no checkout"):
        Checkout(path=tmp_path).check()
