"""Does LR-ASD tell who speaks from who does not, on real faces, and what does it cost?

    python -m benchmarks.figures.active_speaker DATASET MANIFEST

DATASET was curated with the finder `mediapipe` from the folder that MANIFEST describes, a table with the columns
`file`, `people` and `flags`. Of every file with one real person, the longest stretch of one track is taken, at most
--ticks of it. Speakers are files whose flags begin with "real; talking y; sync ok-presumed", silent faces those with
"talking n". Only ticks with speech count; foreign sound is that of three other speakers. The weights are those of
GAIA_MODELS.
"""

import argparse
import csv
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt

from curation.media.audio import tick_audio
from curation.media.frames import tick_frames
from curation.media.probe import probe
from curation.model_registry import FACE_FINDERS
from curation.perception.cards import FaceFinderCard
from curation.perception.speaking.lr_asd import LrAsdSpeaking
from foundation.array_types import BoolArray, Float32Array
from foundation.cepstra import mel_cepstra
from manifests.files.tables import read_table

BOXES = {"as its detector draws them": FACE_FINDERS.card("mediapipe", FaceFinderCard).head_box, "as found": (1.0, 0.0)}
"""Ways to take the finder's boxes, the first being the product's."""

LIMITS = (0.3, 0.5, 0.7, 0.9)

LEAST_TICKS = 40

SPEECH_PROB = 0.5

N_OTHERS = 3

PER_FILE = 50
"""Ticks that a pair of a face and a sound counts for, drawn from its own, so that long files do not outweigh others."""


@dataclass(frozen=True, kw_only=True)
class Face:
    """What the encoders say of a face and its sound on adjacent ticks."""

    name: str
    speaks: bool
    seen: Mapping[str, Float32Array]
    """By way of taking the boxes, (T, 128)."""
    heard: Float32Array | None
    """(T, 128); None where the file has no sound."""
    has_speech: BoolArray
    """(T,) whether a tick has speech."""


def wanted(row: Mapping[str, str]) -> bool | None:
    """Return whether a file's face speaks; None where it is of no use here."""
    flags = row["flags"]
    if row["people"] != "1" or "mask worn" in flags or "no whole face" in flags:
        return None
    if flags.startswith("real; talking y; sync ok-presumed"):
        return True
    return False if flags.startswith("real; talking n") else None


def faces_of(dataset: Path, manifest: Path, models: Mapping[str, LrAsdSpeaking], n_most: int) -> Iterator[Face]:
    """Yield the faces of all files of use."""
    with manifest.open(encoding="utf-8", newline="") as file:
        speaks = {row["file"]: wanted(row) for row in csv.DictReader(file, delimiter="\t")}
    frames = read_table(dataset, "frames", ["video_id", "tick", "track_id", "box", "speech_prob"]).to_pylist()
    rows = {video: list(own) for video, own in groupby(frames, key=lambda row: row["video_id"])}
    for video in read_table(dataset, "videos", ["video_id", "path"]).to_pylist():
        path = Path(video["path"])
        if speaks.get(path.name) is None or video["video_id"] not in rows:
            continue
        tracks = groupby(rows[video["video_id"]], key=lambda row: row["track_id"])
        stretch = max((list(own) for track, own in tracks if track is not None), key=len, default=[])[:n_most]
        if len(stretch) >= LEAST_TICKS:
            yield _face(path, bool(speaks[path.name]), stretch, models)


def _face(
    path: Path, speaks: bool, stretch: Sequence[Mapping[str, object]], models: Mapping[str, LrAsdSpeaking]
) -> Face:
    info = probe(path)
    first, end = int(str(stretch[0]["tick"])), int(str(stretch[-1]["tick"])) + 1
    boxes = np.array([row["box"] or [np.nan] * 4 for row in stretch], np.float32)
    squares = {way: model.squares(boxes) for way, model in models.items()}
    crops: dict[str, list[npt.NDArray[np.uint8]]] = {way: [] for way in models}
    shown = np.zeros((info.height_px, info.width_px, 3), np.uint8)
    for frame in tick_frames(info, first, end):
        shown = shown if frame.rgb is None else frame.rgb
        for way, model in models.items():
            crops[way].append(model.crop(shown, squares[way][frame.tick - first]))
    speech = np.array([row["speech_prob"] or 0.0 for row in stretch], np.float32)
    audio = tick_audio(info, first, end)
    cepstra = mel_cepstra(np.zeros(0, np.float32) if audio is None else audio, 4 * len(stretch))
    encoded = {way: models[way].embeddings(np.stack(own), cepstra) for way, own in crops.items()}
    return Face(
        name=path.name,
        speaks=speaks,
        seen={way: seen for way, (seen, _) in encoded.items()},
        heard=None if audio is None else encoded[next(iter(BOXES))][1],
        has_speech=speech >= SPEECH_PROB,
    )


def probabilities(
    faces: Sequence[Face],
    speakers: Sequence[Face],
    way: str,
    model: LrAsdSpeaking,
    kind: str,
    draw: np.random.Generator,
) -> list[Float32Array]:
    """Return the probability of ticks with speech, of each pair of a face and a sound: its own, or those of others."""
    found = []
    for face in faces:
        others = [one for one in speakers if one.name.split("_")[0] != face.name.split("_")[0]]
        sounds = [face] if kind == "own" else [others[k] for k in draw.permutation(len(others))[:N_OTHERS]]
        for sound in sounds:
            n = min(len(face.has_speech), len(sound.has_speech))
            ticks = np.flatnonzero(sound.has_speech[:n])
            if sound.heard is not None and len(ticks) >= 10:
                silent, speaks = model.logits(face.seen[way][:n], sound.heard[:n])[draw.choice(ticks, PER_FILE)].T
                found.append(1 / (1 + np.exp(silent - speaks)))
    return found


def auc(positive: Float32Array, negative: Float32Array) -> float:
    """Return the probability that a positive tick has a higher value than a negative one."""
    ordered = np.sort(negative)
    below = (np.searchsorted(ordered, positive, "left") + np.searchsorted(ordered, positive, "right")) / 2
    return float(below.mean() / len(negative))


def cost_lines(model: LrAsdSpeaking, n: int = 250) -> Iterator[str]:
    """Yield lines with the processor time of the parts on n ticks, ms a tick; the least of three."""
    draw = np.random.default_rng(0)
    frame, square = draw.integers(0, 256, (720, 1280, 3), np.uint8), np.array([600.0, 300.0, 300.0])
    crops, audio = draw.integers(0, 256, (n, 112, 112), np.uint8), draw.normal(0, 0.1, 640 * n).astype(np.float32)
    parts: dict[str, Callable[[], object]] = {
        "crop of a face of 300 pixels": lambda: [model.crop(frame, square) for _ in range(n)],
        "cepstra": lambda: mel_cepstra(audio, 4 * n),
        "all but the crop": lambda: model(crops, audio),
    }
    for name, part in parts.items():
        times = []
        for _ in range(3):
            begun = time.process_time()
            part()
            times.append(time.process_time() - begun)
        yield f"| {name} | {min(times) / n * 1000:.2f} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--ticks", type=int, default=170)
    options = parser.parse_args()
    models = {way: LrAsdSpeaking(head_box=head_box) for way, head_box in BOXES.items()}
    faces = list(faces_of(options.dataset, options.manifest, models, options.ticks))
    speakers = [face for face in faces if face.speaks and face.has_speech.mean() > 0.4]
    silent = [face for face in faces if not face.speaks]
    n_ticks = sum(len(face.has_speech) for face in speakers), sum(len(face.has_speech) for face in silent)
    print(f"{len(speakers)} speakers ({n_ticks[0]} ticks), {len(silent)} silent faces ({n_ticks[1]} ticks)\n")
    print("| boxes | limit | speaks, own sound | silent face, foreign sound | speaking face, foreign sound |")
    print("|---|---|---|---|---|")
    for way, model in models.items():
        draw = np.random.default_rng(0)
        own = np.concatenate(probabilities(speakers, speakers, way, model, "own", draw))
        quiet = np.concatenate(probabilities(silent, speakers, way, model, "foreign", draw))
        foreign = np.concatenate(probabilities(speakers, speakers, way, model, "foreign", draw))
        for limit in LIMITS:
            shares = " | ".join(f"{float((ticks >= limit).mean()):.3f}" for ticks in (own, quiet, foreign))
            print(f"| {way} | {limit} | {shares} |")
        print(f"| {way} | AUC | | {auc(own, quiet):.3f} | {auc(own, foreign):.3f} |")
    print("\n| part | ms a tick |\n|---|---|")
    print("\n".join(cost_lines(models[next(iter(BOXES))])))


if __name__ == "__main__":
    main()
