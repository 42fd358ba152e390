"""decord as the decoder: what it shows where it is right, and the reason why it is refused where it is not."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.made_videos import (
    Coding,
    TalkingFace,
    counted_picture,
    counted_video,
    frame_times,
    read_count,
    talking_video,
    variable_times,
    write_video,
)

from curation.engine.execution import Executor
from curation.media.decoders import MOST_LEVELS_APART, probe_for, require_decoder
from curation.media.errors import MediaError
from curation.media.frames import tick_frames
from curation.media.probe import probe
from curation.media.settings import MediaSettings
from curation.operations.run import run
from curation.output.ledger import read_ledger
from curation.settings import CurationSettings
from foundation import packages
from foundation.packages import MissingPackageError

DECORD = MediaSettings(decoder="decord")
B_FRAMES = {"preset": "veryfast", "bf": "3", "g": "24", "crf": "16", "x264-params": "open-gop=0"}
THIRTY = frame_times(Fraction(30), 90)


def untouched(path: Path) -> Path:
    return path


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("times_s", [frame_times(Fraction(25), 60), THIRTY, variable_times(3)], ids=["25", "30", "vfr"])
def test_decord_shows_the_same_frames_at_the_same_ticks(tmp_path: Path, suffix: str, times_s: list[Fraction]) -> None:
    path = counted_video(tmp_path / f"v.{suffix}", times_s, coding=Coding(options=B_FRAMES))
    info = probe_for(path, DECORD)
    assert info == replace(probe(path), decoder="decord")
    for first, end in ((0, info.n_ticks), (31, 40)):
        pairs = zip(tick_frames(info, first, end), tick_frames(probe(path), first, end), strict=True)
        for theirs, ours in pairs:
            assert (theirs.tick, theirs.source_frame) == (ours.tick, ours.source_frame)
            assert read_count(theirs.rgb) == read_count(ours.rgb)
            apart = np.abs(theirs.rgb.astype(int) - ours.rgb)
            assert apart.max() <= MOST_LEVELS_APART
            assert theirs.shown.shape == ours.shown.shape
            small = [one.shown.thumbnail(48, 27).astype(int) for one in (theirs, ours)]
            assert np.abs(small[0] - small[1]).mean() < 2.5


def test_decord_really_decodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import decord

    info = probe_for(counted_video(tmp_path / "v.mp4", frame_times(Fraction(25), 5)), DECORD)
    asked = []
    ask = decord.VideoReader.__getitem__
    monkeypatch.setattr(
        decord.VideoReader, "__getitem__", lambda self, number: asked.append(number) or ask(self, number)
    )
    assert [read_count(frame.rgb) for frame in tick_frames(info, 0, 5)] == [0, 1, 2, 3, 4]
    assert asked == [0, 1, 2, 3, 4]


def damaged(path: Path) -> Path:
    data = bytearray(path.read_bytes())
    at = len(data) // 2
    data[at : at + 400] = bytes(400)
    path.write_bytes(data)
    return path


def joined_sizes(path: Path) -> Path:
    small = write_video(
        path.with_name("s.ts"), frame_times(Fraction(25), 25), (counted_picture(k, 160, 96) for k in range(25))
    )
    path.write_bytes(small.read_bytes() + path.read_bytes())
    return path


@pytest.mark.parametrize(
    ("name", "coding", "change", "reason"),
    [
        ("v.avi", Coding(options=B_FRAMES, time_base=Fraction(1, 25)), untouched, "stores no times"),
        ("v.h264", Coding(time_base=Fraction(1, 25)), untouched, "stores no times"),
        ("v.mp4", Coding(turn_deg=90), untouched, "turn or flip"),
        ("v.mp4", Coding(pixel_aspect=Fraction(3, 2)), untouched, "not square|pixels"),
        ("v.mp4", Coding(pix_fmt="yuv420p10le"), untouched, "more than 8 bits|levels"),
        ("v.mp4", Coding(pix_fmt="yuv420p10le", colour=(9, 1, 16, 9)), untouched, "high dynamic range"),
        (
            "v.mp4",
            Coding(options={**Coding().options, "flags": "+ildct+ilme", "x264-params": "tff=1"}),
            untouched,
            "interlaced",
        ),
        (
            "v.mp4",
            Coding(options={**B_FRAMES, "flags": "-cgop", "x264-params": "open-gop=1:scenecut=0"}),
            untouched,
            "open groups|another one",
        ),
        ("v.ts", Coding(options=B_FRAMES), untouched, "another one|counts"),
        (
            "v.mp4",
            Coding(start_s=Fraction(-1, 2), muxer_options={"avoid_negative_ts": "disabled"}),
            untouched,
            "edit list|counts",
        ),
        ("v.mp4", Coding(), damaged, "damaged|another one|cannot decode"),
        ("both.ts", Coding(start_s=Fraction(1)), joined_sizes, "size|counts|another one|pixels|read the file"),
    ],
    ids=["avi", "raw", "turned", "oblong", "10 bit", "hdr", "interlaced", "open gop", "ts", "edit list", "damaged",
         "sizes"],
)  # fmt: skip
def test_decord_is_refused_with_the_reason(
    tmp_path: Path, name: str, coding: Coding, change: Callable[[Path], Path], reason: str
) -> None:
    path = change(counted_video(tmp_path / name, frame_times(Fraction(25), 75), coding=coding))
    with pytest.raises(MediaError, match=f"decord is not right for it: .*({reason})") as refused:
        probe_for(path, DECORD)
    assert refused.value.code == "decoder_unfit"
    assert "media.decoder=auto" in refused.value.detail
    assert probe_for(path, MediaSettings()).decoder == "pyav"


def test_large_untagged_colour_is_refused(tmp_path: Path) -> None:
    coding = Coding(colour=(2, 1, 2, 2), options={**Coding().options, "x264-params": "colormatrix=undef"})
    pictures = [counted_picture(k, 1280, 720) for k in range(3)]
    path = write_video(tmp_path / "v.mp4", frame_times(Fraction(25), 3), pictures, coding=coding)
    with pytest.raises(MediaError, match="without a tag of their colours"):
        probe_for(path, DECORD)


def test_a_run_with_decord_keeps_what_it_can_and_says_why_of_the_rest(
    tmp_path: Path, talking_face: TalkingFace
) -> None:
    source = tmp_path / "raw"
    source.mkdir()
    times_s = frame_times(Fraction(25), 80)
    sound = talking_face.sound(0.0, 3.2)
    talking_video(source / "good.mp4", talking_face, times_s, sound=sound)
    talking_video(source / "turned.mp4", talking_face, times_s, sound=sound, coding=Coding(turn_deg=180))
    run(str(source), tmp_path / "dataset", CurationSettings(media=DECORD), Executor())
    good, turned = sorted(read_ledger(tmp_path / "dataset").values(), key=lambda record: record.path)
    assert (good.status, good.n_clips, good.kept_diffusion_s) == ("ok", 1, 3.2)
    assert (turned.status, turned.error_code) == ("failed", "decoder_unfit")
    assert "turn or flip" in turned.error_detail


def test_without_the_package_nothing_starts_and_the_message_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(packages.importlib, "import_module", absent)
    require_decoder(MediaSettings())
    with pytest.raises(MissingPackageError, match=r"install it with: python -m pip install '?decord"):
        require_decoder(DECORD)


@pytest.mark.parametrize("order", ["decord, torch, av", "torch, av, decord", "av, cv2, dlib, decord, torch"])
def test_decord_lives_with_the_other_libraries_in_any_order_of_import(
    tmp_path: Path, order: str, repository: Path
) -> None:
    path = counted_video(tmp_path / "v.mp4", frame_times(Fraction(25), 5))
    code = (
        f"import {order}\nfrom pathlib import Path\nfrom curation.media.decoders import probe_for\n"
        "from curation.media.frames import tick_frames\nfrom curation.media.settings import MediaSettings\n"
        f"info = probe_for(Path({str(path)!r}), MediaSettings(decoder='decord'))\n"
        "print(sum(frame.rgb is not None for frame in tick_frames(info, 0, 5)), torch.ones(2).sum().item())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stdout.split() == ["5", "2.0"], done.stderr
