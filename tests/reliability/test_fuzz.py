"""A run of the worker pool over hundreds of damaged files: it ends, and what it says of each is what others say."""

import hashlib
import json
import subprocess
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from helpers.damaged_videos import DAMAGES, MP4_DAMAGES, all_boxes, excerpt
from helpers.readers import Reading, read_apart

from curation.engine.event_log import events_path
from foundation.storage.path_text import path_of_text
from manifests.files.tables import read_table
from manifests.reports.validate import validate

pytestmark = pytest.mark.slow  # one run over all files, minutes

VARIANTS = 3
"""Of each cut and each kind of damage."""

FORMS = (("mp4", {"movflags": "+faststart"}), ("mp4", {}), ("mp4", {"movflags": "+frag_keyframe+empty_moov"}))
"""The index in front, at the end, and in pieces."""

OTHER_CONTAINERS = {"WDA_AlexandriaOcasioCortez_000": "avi", "dj_video4": "mkv", "lp_d13": "ts"}
"""Clips that are cut into a container besides."""

LENGTH_S = 0.6
"""Length of a cut: more than the shortest clip, and little to measure."""

LONGER_S = {"lp_d14": 1.0}
"""One of the damages of this one is an index that promises gigabytes of sound."""

HEADINGS = ("ok", "unreadable", "no_video_stream", "lost")


@dataclass(frozen=True, kw_only=True)
class Damaged:
    """A damaged file."""

    path: Path
    kind: str
    cut: Path
    """What it was."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the run said of all files, and what others say."""

    root: Path
    dataset: Path
    exit_code: int
    before: dict[Path, str]
    damaged: list[Damaged]
    rows: dict[Path, dict[str, Any]]
    events: list[dict[str, Any]]
    readings: dict[Path, Reading]

    def told(self, path: Path) -> str:
        """`ok`, or the error code."""
        return str(self.rows[path]["error_code"] or self.rows[path]["status"])


def hashes(root: Path) -> dict[Path, str]:
    files = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def cuts(clips: Path, folder: Path) -> list[Path]:
    """Cut every real clip."""
    folder.mkdir()
    made = []
    for number, clip in enumerate(sorted(clips.glob("*.mp4"))):
        suffix, options = FORMS[(0, 1, 0, 1, 2)[number % 5]]
        length_s = LONGER_S.get(clip.stem, LENGTH_S)
        made.append(excerpt(clip, folder / f"{clip.stem}.{suffix}", options, length_s))
        if clip.stem in OTHER_CONTAINERS:
            made.append(excerpt(clip, folder / f"{clip.stem}.{OTHER_CONTAINERS[clip.stem]}", {}, length_s))
    return made


def damaged_files(whole: list[Path], folder: Path) -> list[Damaged]:
    """Damage every cut in every way that can befall it; the file's name seeds what exactly happens."""
    folder.mkdir()
    made = []
    seen = {cut.read_bytes() for cut in whole}
    for cut in whole:
        for kind, damage in (DAMAGES | (MP4_DAMAGES if cut.suffix == ".mp4" else {})).items():
            for number in range(VARIANTS):
                path = folder / f"{cut.stem} {kind} {number}{cut.suffix}"
                random = np.random.default_rng(zlib.crc32(path.name.encode()))
                content = damage(cut.read_bytes(), random)
                while content in seen:
                    content = damage(cut.read_bytes(), random)
                seen.add(content)
                path.write_bytes(content)
                made.append(Damaged(path=path, kind=kind, cut=cut))
    return made


@pytest.fixture(scope="module")
def outcome(
    tmp_path_factory: pytest.TempPathFactory, shared_clips: Path, command_environment: dict[str, str]
) -> Outcome:
    root = tmp_path_factory.mktemp("fuzz") / "raw"
    damaged = damaged_files(cuts(shared_clips, root.parent / "cuts"), root)
    before = hashes(root)
    dataset = root.parent / "dataset"
    arguments = ["--source", str(root), "--out", str(dataset), "--preset", "embedded", "--executor", "ray"]
    arguments += ["--workers", "2", "--set", "speech.encoder=none", "--set", "speech.denoiser=none"]
    arguments += ["--set", "rules.too_short.min_s=0.4"]  # such short videos are to be cut out and encoded, too
    done = subprocess.run(
        ["gaia-curate", "run", *arguments], env=command_environment, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Outcome(
        root=root,
        dataset=dataset,
        exit_code=done.returncode,
        before=before,
        damaged=damaged,
        rows={path_of_text(row["path"]): row for row in read_table(dataset, "videos").to_pylist()},
        events=[json.loads(line) for line in events_path(dataset).read_text().splitlines()],
        readings=read_apart([file.path for file in damaged]),
    )


def test_at_least_400_files_are_damaged_each_in_its_own_way(outcome: Outcome) -> None:
    contents = [file.path.read_bytes() for file in outcome.damaged]
    assert len(contents) >= 400
    assert len(set(contents)) == len(contents)
    assert not set(contents) & {cut.read_bytes() for cut in {file.cut for file in outcome.damaged}}


def test_every_file_has_exactly_one_row_and_the_dataset_is_valid(outcome: Outcome) -> None:
    assert outcome.exit_code == 1
    rows = read_table(outcome.dataset, "videos").to_pylist()
    assert sorted(path_of_text(row["path"]) for row in rows) == sorted(outcome.before)
    assert validate(outcome.dataset) == []


def test_every_original_is_as_it_was(outcome: Outcome) -> None:
    assert hashes(outcome.root) == outcome.before


def test_the_status_of_a_damaged_file_is_what_a_plain_reading_of_it_gives(outcome: Outcome) -> None:
    told = {file.path.name: outcome.told(file.path) for file in outcome.damaged}
    plain = {file.path.name: outcome.readings[file.path].status for file in outcome.damaged}
    assert {name: (told[name], plain[name]) for name in told if told[name] != plain[name]} == {}


def test_what_opencv_reads_is_read_but_for_pictures_behind_an_index_that_promises_gigabytes_of_sound(
    outcome: Outcome,
) -> None:
    unread = [file.path for file in outcome.damaged if outcome.told(file.path) != "ok"]
    assert [path.name for path in unread if outcome.readings[path].n_opencv] == [
        "lp_d14 bits flipped in the index 2.mp4"
    ]


def intact_s(cut: Path, damaged: Path) -> float:
    """Return until when the pictures of a damaged MP4 file are those of its cut, seconds after the first.

    All pictures whose packets end before the first byte that differs, up to the first one whose packet does not; 0
    where the boxes beside the pictures are not untouched, or stand elsewhere.
    """
    whole, content = cut.read_bytes(), damaged.read_bytes()
    top = [box for box in all_boxes(whole) if box.parent is None]
    if [box.kind for box in top].count(b"mdat") != 1:
        return 0.0
    if any(content[box.start : box.end] != whole[box.start : box.end] for box in top if box.kind != b"mdat"):
        return 0.0
    (pictures,) = (box for box in top if box.kind == b"mdat")
    if content[: pictures.payload] != whole[: pictures.payload]:
        return 0.0
    shorter = min(len(whole), len(content))
    differing = np.flatnonzero(np.frombuffer(whole[:shorter], np.uint8) != np.frombuffer(content[:shorter], np.uint8))
    first = int(differing[0]) if len(differing) else shorter
    with av.open(str(cut)) as container:
        track = container.streams.video[0]
        packets = [packet for packet in container.demux(track) if packet.size and not packet.is_discard]
        if not packets:  # an edit list shows none
            return 0.0
        begin = min(packet.pts for packet in packets)
        lost = [packet.pts for packet in packets if packet.pos + packet.size > first]
        step = float(1 / track.average_rate)
        end = min(lost) if lost else max(packet.pts for packet in packets)
        return max(0.0, float((end - begin) * track.time_base) - step)


def test_pictures_before_the_damage_are_used(outcome: Outcome) -> None:
    frames = read_table(outcome.dataset, "frames", ["video_id", "tick", "decoded"]).to_pylist()
    decoded = {(row["video_id"], row["tick"]) for row in frames if row["decoded"]}
    n_checked = 0
    for file in outcome.damaged:
        until_s = intact_s(file.cut, file.path) if file.cut.suffix == ".mp4" else 0.0
        ticks = range(int(np.ceil(until_s * 25)))
        n_checked += len(ticks)
        video_id = outcome.rows[file.path]["video_id"]
        assert [tick for tick in ticks if (video_id, tick) not in decoded] == [], file.path.name
    assert n_checked > 500


def test_no_worker_is_lost_without_a_word(outcome: Outcome) -> None:
    events = outcome.events
    lost = [event for event in events if event["event"] == "loss"]
    answered = [event for event in events if event["event"] in ("retry", "quarantine")]
    assert [(e["unit"], e["worker"]) for e in lost] == [(e["unit"], e["worker"]) for e in answered]
    workers = {event["worker"] for event in events} - {None}
    n_units = sum(event["event"] == "end" for event in events)
    assert (
        len(workers) <= 2 + len(lost) + n_units // 500
    )  # nobody else was started but for those that were lost or worn
    quarantined = {row["video_id"] for row in outcome.rows.values() if row["status"] == "quarantined"}
    assert quarantined == {e["unit"].split()[0] for e in events if e["event"] == "quarantine"}


def outcomes_table(outcome: Outcome) -> list[str]:
    """Lines of the table on the page: how many files of each kind of damage ended how."""
    kinds = {file.path: file.kind for file in outcome.damaged}
    ended: dict[str, Counter[str]] = {kind: Counter() for kind in (*DAMAGES, *MP4_DAMAGES)}
    lost = {event["unit"].split()[0] for event in outcome.events if event["event"] == "loss"}
    for path, row in outcome.rows.items():
        ended[kinds[path]][outcome.told(path)] += 1
        ended[kinds[path]]["lost"] += row["video_id"] in lost
    ended["together"] = sum(ended.values(), Counter())
    lines = [
        "| damage | files | " + " | ".join(f"`{h}`" for h in HEADINGS[:3]) + " | cost a worker |",
        "|---|---|---|---|---|---|",
    ]
    for kind, counts in ended.items():
        n_files = sum(counts[heading] for heading in HEADINGS[:3])
        lines.append(f"| {kind} | {n_files} | " + " | ".join(str(counts[heading]) for heading in HEADINGS) + " |")
    return lines


def test_the_table_on_the_page_is_what_came_out(outcome: Outcome, repository: Path) -> None:
    page = (repository / "benchmarks" / "results" / "2026-11-damaged-files.md").read_text(encoding="utf-8")
    table = "\n".join(outcomes_table(outcome))
    assert table in page, f"benchmarks/results/2026-11-damaged-files.md should have\n{table}"
