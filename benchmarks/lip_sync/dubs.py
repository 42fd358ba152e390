"""Do dubbed voices stay out of tier `diffusion`, and do the originals stay in?

    python -m benchmarks.lip_sync.dubs DATASET... --work FOLDER [--folds 5 --cache FILE] [--picture PNG] [--lines]

The datasets are what `gaia-curate run --preset embedded` makes of the folders `talk` and `clips` that `GAIA_SHARED`
holds; pictures are not measured again. Three kinds of files are judged: the originals, the pictures of a video under
the voice of another person (`dub`), and a speaker's voice over the face of somebody who does not talk (`voice-over`).
The latter are made in FOLDER, one at a time. Sound, and lips against sound, are measured of each as `gaia-curate run`
does. Printed is what is kept of tier `diffusion`, with --lines a line a file; --picture draws z of every stretch
against its length.

With --folds, each file is judged by a network that was taught without its person and repository, and dubbed by a voice
that this network has not heard either; else by the network of the package, which was taught on these people.

A video takes part if it is real, of one person who talks with the sound presumed original, and lasts for 5 s. The voice
that dubs it is that of the next such video of somebody else, from where it is first loud, repeated where it is shorter.
"""

import argparse
import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path, PurePosixPath

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer

from benchmarks.lip_sync.fold_workers import FoldWorkers, fold_workers, one_worker
from benchmarks.lip_sync.shared_videos import shared_videos
from curation.analysis.lips_and_sound import shapes_in
from curation.analysis.ranges import analyze_audio_of
from curation.decision.decide import Decision
from curation.engine.worker import VideoWorker, WorkerPlan
from curation.evidence.measures import Evidence
from curation.media.audio import tick_audio
from curation.media.errors import MediaError
from curation.media.probe import VideoInfo
from curation.output.frame_rows import evidence_of_frames
from curation.rules.sync import SyncedStretch, SyncSettings
from curation.settings import CurationSettings, load_settings
from foundation.array_types import Float32Array
from foundation.storage.path_text import path_of_text
from manifests.files.tables import read_table
from manifests.packing.packed_files import sources_of, table_inventory
from manifests.packing.rows import VideoRows
from manifests.schema.frames import FRAMES
from manifests.timeline import AUDIO_RATE_HZ, SAMPLES_PER_TICK, TICK_RATE_HZ, tick_count

LEAST_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A video, as it was measured."""

    name: str
    identity: str
    path: Path
    evidence: Evidence


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A file, as it is judged with one sound."""

    name: str
    candidates_s: float
    """Seconds that satisfy all rules but `sync`."""
    kept_s: float
    """Seconds of tier diffusion."""
    stretches: tuple[SyncedStretch, ...]
    """What the rule says of each."""

    @property
    def told(self) -> str:
        """Every stretch in words: its seconds, outcome, z and offset in ticks."""
        return "; ".join(
            f"{_seconds(stretch.ticks[1] - stretch.ticks[0]):.1f} s {stretch.outcome} {stretch.reason or ''}"
            + ("" if stretch.curve is None else f"z {stretch.curve.z:.1f} at {stretch.curve.offset_ticks:+.1f}")
            for stretch in self.stretches
        )


def main() -> None:
    """Make the files, judge them, and print the figures."""
    arguments = _arguments()
    settings = load_settings(CurationSettings(), None, arguments.set)
    worker = WorkerPlan(settings=settings, dataset=arguments.work).make_worker()
    shared = Path(os.environ.get("GAIA_SHARED", "../shared"))
    workers = one_worker(worker, shared)
    if arguments.folds:
        workers = fold_workers(worker, arguments.datasets, shared, arguments.cache, arguments.work, arguments.folds)
    rows = read_manifest(shared)
    seen = [video for dataset in arguments.datasets for video in read_videos(dataset, rows)]
    talking = [video for video in seen if _speaks(rows[video.name]) and _seconds(len(video.evidence)) >= LEAST_S]
    originals = [judged(workers.of(video.name), video) for video in talking]
    report("original", originals, arguments.lines)
    dubs = [dub for dub in dubbed(workers, talking, arguments.work) if dub is not None]
    report("dub", dubs, arguments.lines)
    voice = voice_of(worker.probed(talking[0].path))
    silent = [video for video in seen if _is_silent(rows[video.name])]
    overs = [with_voice(workers.of(video.name), video, voice, arguments.work) for video in silent]
    report("voice-over", [over for over in overs if over is not None], arguments.lines)
    if arguments.picture is not None:
        draw(arguments.picture, originals, dubs, settings.rules.sync)


def read_manifest(shared: Path) -> dict[str, Mapping[str, str]]:
    """Return what is known of the videos of both folders, by the names of their files without suffix."""
    speaks = {"people": "1", "flags": "real; talking y; sync ok-presumed"}
    rows: dict[str, Mapping[str, str]] = {
        name: speaks | {"identity": "+".join(sorted(video.people))}
        for name, video in shared_videos(shared).items()
        if video.presumed_true
    }
    with (shared / "talk" / "manifest.tsv").open(encoding="utf-8", newline="") as file:
        return rows | {PurePosixPath(row["file"]).stem: row for row in csv.DictReader(file, delimiter="\t")}


def read_videos(dataset: Path, rows: Mapping[str, Mapping[str, str]]) -> Iterator[Seen]:
    """Yield the videos of a dataset that the manifest has and that were analysed, in the order of their names."""
    videos = [row for row in read_table(dataset, "videos").to_pylist() if row["status"] == "ok"]
    originals = [row for row in videos if row["duplicate_of"] is None]
    with VideoRows(FRAMES, sources_of(table_inventory(dataset, FRAMES))) as frames:
        of_id = {
            row["video_id"]: frames.table_of(row["video_id"]) for row in sorted(originals, key=lambda r: r["video_id"])
        }
    for row in sorted(originals, key=lambda row: PurePosixPath(row["path"]).name):
        path = path_of_text(row["path"])
        if path.stem in rows:
            n_ticks = tick_count(Fraction(row["duration_s"]).limit_denominator(1_000_000))
            evidence = evidence_of_frames(of_id[row["video_id"]], n_ticks)
            yield Seen(name=path.stem, identity=rows[path.stem]["identity"], path=path, evidence=evidence)


def judged(worker: VideoWorker, video: Seen, path: Path | None = None) -> Judged:
    """Return what is kept of a video with the sound of a file, its own by default."""
    info = worker.probed(path or video.path)
    decision = decided(worker, info, video.evidence)
    kept = [clip.n_ticks for clip in decision.clips if clip.tier == "diffusion"]
    stretches = decision.sync.stretches
    return Judged(
        name=video.name,
        candidates_s=_seconds(sum(stretch.ticks[1] - stretch.ticks[0] for stretch in stretches)),
        kept_s=_seconds(sum(kept)),
        stretches=stretches,
    )


def decided(worker: VideoWorker, info: VideoInfo, seen: Evidence) -> Decision:
    """Return the decision on pictures that were measured before, under the sound of a file."""
    info = replace(info, n_ticks=len(seen))
    sound = analyze_audio_of(info, worker.perception, [(0, len(seen))])
    evidence = replace(
        seen,
        faces=replace(seen.faces, sync_scores=None, speaking_prob=None),
        speech_prob=sound.speech_prob,
        loudness_dbfs=sound.loudness_dbfs,
    )
    return worker.decided(worker.with_speakers(info, evidence, shapes_in(evidence.faces)))


def dubbed(workers: FoldWorkers, videos: Sequence[Seen], work: Path) -> Iterator[Judged | None]:
    """Yield what is kept of each video under the voice of the next one that is of somebody else, and of its fold."""
    for number, video in enumerate(videos):
        worker, fold = workers.of(video.name), workers.fold(video.name)
        others = (*videos[number + 1 :], *videos[:number])
        voices = [one for one in others if one.identity != video.identity and workers.fold(one.name) == fold]
        yield with_voice(worker, video, voice_of(worker.probed(voices[0].path)), work)


def with_voice(worker: VideoWorker, video: Seen, voice: Float32Array, work: Path) -> Judged | None:
    """Return what is kept of a video under a voice; None where its pictures cannot be written into another file."""
    path = work / f"{video.name}.mkv"
    samples = np.resize(voice, len(video.evidence) * SAMPLES_PER_TICK)
    try:
        write_with_sound(video.path, path, samples)
        return judged(worker, video, path)
    except (av.FFmpegError, MediaError) as error:
        print(f"{video.name} is left out: {error}")
        return None
    finally:
        path.unlink(missing_ok=True)


def voice_of(info: VideoInfo) -> Float32Array:
    """Return the sound of a video from half a second before it is first loud, at 16 kHz."""
    audio = tick_audio(info, 0, info.n_ticks)
    if audio is None:
        raise ValueError(f"{info.path} has no sound")
    level = np.abs(audio).reshape(-1, SAMPLES_PER_TICK).mean(axis=1)
    first = int(np.argmax(level > 0.3 * level.max()))
    return audio[max(0, first - 12) * SAMPLES_PER_TICK :]


def write_with_sound(source: Path, path: Path, samples: Float32Array) -> None:
    """Write the pictures of a file, as they are coded, and other sound from the first picture on."""
    with av.open(str(source)) as pictures, av.open(str(path), "w", format="matroska") as output:
        stream = pictures.streams.video[0]
        copy = output.add_stream_from_template(stream)
        sound = output.add_stream("flac", rate=AUDIO_RATE_HZ, layout="mono")
        first_s: Fraction | None = None
        for packet in pictures.demux(stream):
            if packet.size == 0 or packet.dts is None or stream.time_base is None:
                continue
            packet.pts = packet.dts if packet.pts is None else packet.pts  # AVI has no other
            if first_s is None:
                first_s = packet.pts * stream.time_base
                _write_sound(output, sound, samples, max(Fraction(0), first_s))
            packet.stream = copy
            output.mux(packet)


def _write_sound(output: OutputContainer, sound: AudioStream, samples: Float32Array, at_s: Fraction) -> None:
    levels = np.clip(np.rint(samples * 32767), -32768, 32767).astype(np.int16)
    for first in range(0, len(levels), 4096):
        frame = av.AudioFrame.from_ndarray(levels[None, first : first + 4096], format="s16", layout="mono")
        frame.rate, frame.time_base = AUDIO_RATE_HZ, Fraction(1, AUDIO_RATE_HZ)
        frame.pts = round(at_s * AUDIO_RATE_HZ) + first
        output.mux(sound.encode(frame))
    output.mux(sound.encode(None))


def report(kind: str, files: Sequence[Judged], lines: bool) -> None:
    """Print the figures of one kind of files, and each of them where asked."""
    if lines:
        for file in files:
            print(f"{kind:14} {file.name:12} {file.candidates_s:6.1f} s, kept {file.kept_s:6.1f}: {file.told}")
    before, kept = sum(file.candidates_s for file in files), sum(file.kept_s for file in files)
    n_judged = sum(file.candidates_s > 0.0 for file in files)
    without = sum(file.kept_s == 0.0 for file in files)
    print(
        f"{kind}: {len(files)} files; by all rules but sync {before:.1f} s of {n_judged} of them are in tier diffusion,"
    )
    print(
        f"    with it {kept:.1f} s, {1 - kept / max(before, 1e-9):.1%} less; of {without} of {len(files)} files no "
        f"second is there, which is {without - len(files) + n_judged} of these {n_judged}",
        flush=True,
    )


def draw(picture: Path, originals: Sequence[Judged], dubs: Sequence[Judged], settings: SyncSettings) -> None:
    """Draw z of every measured stretch against its ticks, with the limits."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8.0, 4.2), layout="constrained")
    for name, files, colour in (("own voice", originals, "#117733"), ("another person's voice", dubs, "#bb5500")):
        curves = [stretch.curve for file in files for stretch in file.stretches if stretch.curve is not None]
        ticks, z = [curve.n_ticks for curve in curves], [curve.z for curve in curves]
        axes.plot(ticks, z, "o", color=colour, markersize=4, alpha=0.7, label=f"{name}, {len(curves)} stretches")
    sure, long, last = settings.sure_ticks, settings.long_ticks, max(axes.get_xlim()[1], settings.long_ticks)
    limits = [0.0, *[settings.not_in_sync_z] * 2, *[settings.long_not_in_sync_z] * 2]
    edges = [settings.min_ticks, sure, long, long, last]
    axes.fill_between(edges, 0.0, limits, color="#bb5500", alpha=0.12, linewidth=0, label="not in sync")
    axes.axhline(settings.in_sync_z, color="#222222", linewidth=0.8, linestyle="--", label="in sync from here on")
    axes.set(
        xlabel="ticks with a score (25 a second)", ylabel="z", ylim=(0.0, None), xlim=(settings.min_ticks - 5, None)
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    figure.savefig(picture, dpi=100)


def _speaks(row: Mapping[str, str]) -> bool:
    flags = [part.strip() for part in row["flags"].split(";")]
    return row["people"] == "1" and flags[:3] == ["real", "talking y", "sync ok-presumed"]


def _is_silent(row: Mapping[str, str]) -> bool:
    flags = [part.strip() for part in row["flags"].split(";")]
    return row["people"] == "1" and flags[:2] == ["real", "talking n"]


def _seconds(n_ticks: int) -> float:
    return n_ticks / float(TICK_RATE_HZ)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="+", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=0)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--lines", action="store_true")
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--set", action="append", default=[])
    return parser.parse_args()


if __name__ == "__main__":
    main()
