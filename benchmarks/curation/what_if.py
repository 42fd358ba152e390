"""How many ticks a second do `gaia-curate what-if` and its parts take?

    python -m benchmarks.curation.what_if trying [--hours 8.2] [--cores 2]
    python -m benchmarks.curation.what_if lips [--hours 8.2] [--minutes 3]
    python -m benchmarks.curation.what_if command [--hours 1] [--minutes 3] [--workers 2] [--vary ...]

`trying` makes evidence as it is once videos are prepared, in memory, and tries two values of each setting on that many
hours of it, a batch at a time: ticks per second of processor time and value, and the time that all cores take together
for one value over all hours. `lips` tries eight values where lips were compared with sound. `command` writes a dataset
of made talks and counts it with `curation.vary`, as the command does: reading, preparing and trying. One JSON line
comes for each figure.
"""

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa

import curation
from curation.decision.decide import decide
from curation.decision.settings import RulesSettings
from curation.evidence.measures import Evidence, Faces
from curation.evidence.sync_measures import SyncMeasures
from curation.output.frame_rows import frames_table
from curation.output.ledger import VideoRecord
from curation.output.provenance import new_record
from curation.settings import CurationSettings, load_settings
from curation.what_if.preparing import varied_rules
from curation.what_if.sync_at_once import SyncDrops
from curation.what_if.tried_rules import LIMITS
from curation.what_if.tried_videos import TriedVideo, TriedVideos, joined, kept
from foundation.array_types import Float32Array
from manifests.files.tables import write_parquet
from manifests.landmarks import landmark_scheme
from manifests.record import write_dataset
from manifests.schema.frames import FRAMES
from manifests.schema.videos import VIDEOS
from manifests.timeline import TICK_RATE_HZ
from manifests.vocabulary import TIERS

BATCH_TICKS = 500_000

VALUES: dict[str, tuple[float, float]] = {
    "rules.frontal.strict_deg": (20.0, 30.0),
    "rules.frontal.loose_deg": (40.0, 50.0),
    "rules.small_face.strict_px": (90.0, 120.0),
    "rules.jitter.strict_step": (0.08, 0.12),
    "rules.mask.max_prob": (0.4, 0.6),
    "rules.still_face.min_motion": (0.002, 0.004),
    "rules.not_speaking.min_prob": (0.4, 0.6),
    "rules.several_faces.max_width_ratio": (0.4, 0.6),
    "rules.silence.max_pause_s": (0.6, 1.25),
    "rules.silence.min_speech_prob": (0.4, 0.6),
    "rules.too_short.min_s": (2.0, 3.0),
    "rules.too_short.max_clip_s": (15.0, 30.0),
}
"""Settings, and two values of each between which some ticks lie."""

SCALES = {
    "deviation": (18.0, 14.0), "width": (120.0, 25.0), "shake": (0.02, 0.04), "step": (0.04, 0.04), "prob": (0.5, 0.3),
    "motion": (0.006, 0.003), "ratio": (0.0, 0.3), "speech": (0.7, 0.3), "lips": (0.02, 0.02),
}  # fmt: skip
"""By the name of a measure, its mean and how far it goes."""


def wandering(rng: np.random.Generator, n: int, name: str) -> Float32Array:
    """Return (n,) numbers that stay near each other for about a second, and leave a limit every few seconds."""
    mean, spread = SCALES[name]
    coarse = rng.normal(mean, spread, n // 20 + 2)
    fine = np.interp(np.arange(n) / 20, np.arange(len(coarse)), coarse)
    return (fine + rng.normal(0.0, spread / 20, n)).astype(np.float32)


def made_lips(rng: np.random.Generator, n: int) -> SyncMeasures:
    """Return scores of lips against sound of n ticks, of which a tenth has a voice that is not the speaker's."""
    scores = rng.normal(0.0, 0.15, (n, 31)).astype(np.float32)
    scores[:, 15] += np.where(np.arange(n) // 500 % 10 == 0, 0.0, 0.5)
    described = np.arange(0, n, 25)
    return SyncMeasures(
        scores=scores.astype(np.float16),
        speech_prob=np.full(n, 0.9, np.float32),
        moved=np.ones(n, dtype=np.bool_),
        yaw_deg=np.zeros(n, np.float32),
        mask_prob=np.zeros(n, np.float32),
        described=described,
        descriptor=np.full((len(described), 128), 0.1, np.float32),
        track_id=np.zeros(n, dtype=np.int64),
        breaks=np.zeros(n, dtype=np.bool_),
    )


def made_row(
    rng: np.random.Generator, settings: list[CurationSettings], video_ticks: int, *, lips: bool = False
) -> TriedVideos:
    """Return a batch of videos of some length, prepared for settings."""
    varied = varied_rules(settings)
    videos = []
    for number in range(max(1, BATCH_TICKS // video_ticks)):
        flags = rng.random(video_ticks) < 0.003
        measures = {}
        for name in varied:
            for one in settings:
                key = (name, LIMITS[name].measured_by(one.rules))
                measures[key] = {
                    measure: wandering(rng, video_ticks, measure)
                    if measure in SCALES
                    else np.zeros(video_ticks, dtype=np.bool_)
                    for measure in MEASURES[name]
                }
        videos.append(
            TriedVideo(
                number=number,
                n_ticks=video_ticks,
                passed=dict.fromkeys(TIERS, ~flags),
                breaks=dict.fromkeys(TIERS, rng.random(video_ticks) < 0.001),
                measures=measures,
                sync=made_lips(rng, video_ticks) if lips else None,
            )
        )
    return joined(videos)


MEASURES = {
    "several_faces": ("ratio", "changes"),
    "small_face": ("width",),
    "frontal": ("deviation",),
    "jitter": ("shake", "step"),
    "mask": ("prob",),
    "silence": ("speech", "unheard", "lips"),
    "still_face": ("motion",),
    "not_speaking": ("prob",),
}
"""By rule, the names of what it measures."""


def try_values(name: str, hours: float, video_ticks: int) -> tuple[float, int, int]:
    """Return the processor time of trying two values on made evidence, its ticks, and how many ticks were kept."""
    settings = [load_settings("embedded", overrides={name: value}) for value in VALUES[name]]
    varied = varied_rules(settings)
    n_ticks, spent_s, n_kept = 0, 0.0, 0
    rng = np.random.default_rng(0)
    row = made_row(rng, settings, video_ticks)
    drops = SyncDrops(identity="dlib")
    while n_ticks < hours * 3600 * float(TICK_RATE_HZ):
        row.failing.clear()  # or the answers of the round before would be given again
        started = time.process_time()
        for one in settings:
            found = kept(row, one.rules, varied, one.tiers, drops)
            n_kept += int(found.ticks["vae"].sum())
        spent_s += time.process_time() - started
        n_ticks += len(row.inside)
    return spent_s, n_ticks, n_kept


def try_lips(hours: float, video_ticks: int) -> None:
    """Print the pace of eight values where the rule `sync` judges the stretches of each."""
    name = "rules.frontal.strict_deg"
    settings = [load_settings("embedded", overrides={name: float(value)}) for value in range(5, 45, 5)]
    varied, n_ticks, spent_s = varied_rules(settings), 0, 0.0
    row = made_row(np.random.default_rng(0), settings, video_ticks, lips=True)
    while n_ticks < hours * 3600 * float(TICK_RATE_HZ):
        row.failing.clear()
        drops = SyncDrops(identity="dlib")
        started = time.process_time()
        for one in settings:
            kept(row, one.rules, varied, one.tiers, drops)
        spent_s += time.process_time() - started
        n_ticks += len(row.inside)
    pace = len(settings) * n_ticks / spent_s
    print(json.dumps({"setting": name, "values": len(settings), "lips": True,
                      "hours": round(n_ticks / 90_000, 1), "video_s": video_ticks / 25,
                      "million_ticks_per_core_s": round(pace / 1e6, 1)}), flush=True)  # fmt: skip


def trying(hours: float, video_ticks: int, cores: int) -> None:
    """Print the pace of each setting, and the time of one value over all hours on all cores."""
    for name in VALUES:
        spent_s, n_ticks, n_kept = try_values(name, hours, video_ticks)
        pace = 2 * n_ticks / spent_s
        print(json.dumps({"setting": name, "hours": hours, "million_ticks_per_core_s": round(pace / 1e6, 1),
                          "kept_share": round(n_kept / 2 / n_ticks, 2)}), flush=True)  # fmt: skip
    name = "rules.jitter.strict_step"
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores, mp_context=context) as pool:
        list(pool.map(try_values, [name] * cores, [0.1] * cores, [video_ticks] * cores))  # the processes are up
        for share in (0.1, 1.0):
            started = time.perf_counter()
            found = list(pool.map(try_values, [name] * cores, [hours * share / cores] * cores, [video_ticks] * cores))
            wall_s = (time.perf_counter() - started) / 2  # of two values
            ticks = sum(n for _, n, _ in found)
            print(json.dumps({"setting": name, "hours": hours * share, "cores": cores, "million_ticks": ticks / 1e6,
                              "wall_s_per_value": round(wall_s, 2)}), flush=True)  # fmt: skip


def made_talk(n_ticks: int) -> Evidence:
    """Return the evidence of a person who talks, turns, is silent and is missed now and then."""
    rng = np.random.default_rng(1)
    seen = np.flatnonzero(rng.random(n_ticks) > 0.01)
    knots = np.arange(0, n_ticks + 250, 250)
    width = np.interp(seen, knots, rng.normal(140.0, 20.0, len(knots)))
    box = np.stack([300 - width / 2, 200 - width / 2, 300 + width / 2, 200 + width / 2], axis=1).astype(np.float32)
    plain = np.array([[0.5, 0.6], [0.2, 0.3], [0.4, 0.3], [0.6, 0.3], [0.8, 0.3], [0.35, 0.8], [0.65, 0.8], [0.5, 0.78],
                      [0.5, 0.82]])  # fmt: skip
    points = box[:, None, :2] + plain[None] * width[:, None, None]
    points[:, 0, 0] += width * 0.15 * np.sin(seen / 40.0)
    points[:, 8, 1] += width * 0.05 * (1 + np.sin(seen / 1.3))
    n = len(seen)
    faces = Faces(
        tick=seen,
        box_px=box,
        score=np.ones(n, np.float32),
        key_points_px=points.astype(np.float32),
        landmarks_px=np.zeros((n, 0, 2), np.float32),
        pose_deg=np.zeros((n, 3), np.float32),
        lip_aperture=(0.04 + 0.03 * np.sin(seen / 1.3)).astype(np.float32),
        mask_prob=rng.random(n).astype(np.float32) * np.float32(0.6),
        mask_measured=np.ones(n, np.bool_),
        sharpness=np.full(n, 100.0, np.float32),
        luma=np.full(n, 120.0, np.float32),
        descriptor=np.where((seen % 25 == 0)[:, None], 0.1, np.nan).repeat(128, axis=1).astype(np.float32),
    )
    cut = np.where(rng.random(n_ticks) < 1 / 500, 1.0, 0.0).astype(np.float32)
    speech = np.where(np.convolve(rng.random(n_ticks) < 0.003, np.ones(60), "full")[:n_ticks] > 0, 0.1, 0.9)
    return Evidence(
        decoded=np.ones(n_ticks, np.bool_),
        faces=faces,
        cut_score=cut,
        speech_prob=speech.astype(np.float32),
        loudness_dbfs=np.full(n_ticks, -20.0, np.float32),
    )


def make_dataset(folder: Path, hours: float, minutes: float) -> int:
    """Write the evidence of talks as a dataset, and return its ticks."""
    n_ticks = round(minutes * 60 * float(TICK_RATE_HZ))
    evidence = made_talk(n_ticks)
    table = frames_table("0" * 16, evidence, decide(evidence, RulesSettings()), landmark_scheme("mediapipe478"))
    rows = []
    for number in range(max(1, round(hours * 60 / minutes))):
        video_id = f"{number:016x}"
        ids = pa.array([video_id] * len(table), pa.string())
        own = table.set_column(table.schema.get_field_index("video_id"), table.schema.field("video_id"), ids)
        write_parquet(folder / "frames" / f"{video_id}.parquet", own, FRAMES)
        rows.append(
            VideoRecord(video_id=video_id, source="made", path=f"/{number}.mp4", speaker_id=f"id{number % 50}",
                        size_bytes=1, duration_s=n_ticks / float(TICK_RATE_HZ), status="ok").model_dump()
        )  # fmt: skip
    write_parquet(
        folder / "videos" / "videos.parquet", pa.Table.from_pylist(rows, schema=VIDEOS.arrow_schema()), VIDEOS
    )
    write_dataset(folder, new_record(CurationSettings(), []))
    return n_ticks * len(rows)


def command(hours: float, minutes: float, workers: int, vary: str) -> None:
    """Print the time that a made dataset takes."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "dataset"
        n_ticks = make_dataset(folder, hours, minutes)
        started, before = time.perf_counter(), _processor_s()
        found = curation.vary(folder, [vary], workers=workers)
        wall_s, cpu_s = time.perf_counter() - started, _processor_s() - before
        print(json.dumps({"hours": n_ticks / 90_000, "minutes_per_video": minutes, "vary": vary,
                          "values": len(found.points), "workers": workers, "wall_s": round(wall_s, 2),
                          "cpu_s": round(cpu_s, 2), "ticks_per_cpu_s": round(n_ticks / cpu_s),
                          "times_real_time": round(n_ticks / 25 / wall_s)}), flush=True)  # fmt: skip


def _processor_s() -> float:
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in spent)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["trying", "lips", "command"])
    parser.add_argument("--hours", type=float, default=8.2)
    parser.add_argument("--minutes", type=float, default=3.0, help="length of a video")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--vary", default="rules.frontal.strict_deg=5:40:5")
    arguments = parser.parse_args()
    if arguments.what == "trying":
        trying(arguments.hours, round(arguments.minutes * 1500), arguments.cores)
    elif arguments.what == "lips":
        try_lips(arguments.hours, round(arguments.minutes * 1500))
    else:
        command(arguments.hours, arguments.minutes, arguments.workers, arguments.vary)


if __name__ == "__main__":
    main()
