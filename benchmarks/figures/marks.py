"""Is the invisible mark found in copies of marked videos, and how high do unmarked videos score?

    python -m benchmarks.figures.marks copies VIDEO... [--seconds 8]
    python -m benchmarks.figures.marks unmarked VIDEO... [--seconds 4] [--step 0.5]

The videos stand in for generated ones: the square of their shorter side, scaled to 256 pixels. `copies` marks them and
prints a JSON line for each kind of copy: whether the id was found, the share of wrong coded bits at the best place, the
score, and the seconds of processor time of the search. `unmarked` prints a line for every window of every video.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

import av
import cv2
import numpy as np

from curation.media.encode import encode_mp4
from curation.media.frames import tick_frames
from curation.media.mark.detection import mark_of_pictures
from curation.media.mark.embedding import marked
from curation.media.mark.mark_code import encoded_id
from curation.media.mark.mark_search import SMALL_PX, bits_at, places
from curation.media.probe import probe
from foundation.array_types import Float32Array, RgbImage

MARK_ID = 0x3F0C2A7E91B4
SIZE_PX = 256
LADDER = ((240, 150_000), (144, 60_000))
"""Lines and bits a second of the steps of a site; each is made of the one before, as when a copy is uploaded again."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the lines of the question asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("question", choices=("copies", "unmarked"))
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--step", type=float, default=0.5)
    given = parser.parse_args(arguments)
    n_frames = round(25 * given.seconds)
    for path in given.videos:
        rows = _copies(path, n_frames) if given.question == "copies" else _unmarked(path, n_frames, given.step)
        for row in rows:
            print(json.dumps({"video": path.name, **row}), flush=True)


def _copies(path: Path, n_frames: int) -> Iterator[dict[str, object]]:
    frames = _squares(path)[:n_frames]
    with_mark = list(marked(frames, MARK_ID))
    squares = [np.mean((one.astype(float) - other) ** 2) for one, other in zip(frames, with_mark, strict=True)]
    yield {"psnr_db": 10 * np.log10(255**2 / np.mean(squares)), "worst_frame_db": 10 * np.log10(255**2 / max(squares))}
    made = _pictures(encode_mp4(with_mark, SIZE_PX))
    yield {"copy": "as made", **_found(made)}
    yield {"copy": "CRF 28", **_found(_encoded(made, crf=28))}
    yield {"copy": "half, CRF 28", **_found(_encoded(_resized(made, SIZE_PX // 2), crf=28))}
    edge = SIZE_PX // 20
    yield {"copy": "a tenth cropped, CRF 28", **_found(_encoded([f[edge:-edge, edge:-edge] for f in made], crf=28))}
    copy = made
    for lines, bits_per_s in LADDER:
        copy = _encoded(_resized(copy, lines), bits_per_s=bits_per_s)
        yield {"copy": f"ladder, {lines} lines, {bits_per_s // 1000} kbit/s", **_found(copy)}


def _unmarked(path: Path, n_frames: int, step_s: float) -> Iterator[dict[str, object]]:
    luma = _luma(_squares(path))
    for first in range(0, len(luma) - n_frames + 1, round(25 * step_s)):
        mark_id, score = mark_of_pictures(luma[first : first + n_frames])
        yield {"first_s": first / 25, "found": mark_id is not None, "score": score}


def _found(frames: list[RgbImage]) -> dict[str, object]:
    luma = _luma(frames)
    start = time.process_time()
    mark_id, score = mark_of_pictures(luma)
    taken_s = time.process_time() - start
    signs = np.sign(bits_at(luma, places(luma)[0]))
    return {
        "found": mark_id == MARK_ID,
        "wrong_bits": float(np.mean(signs != encoded_id(MARK_ID))),
        "score": score,
        "search_s": taken_s,
    }


def _squares(path: Path) -> list[RgbImage]:
    """Return the square of each tick, a fifth of the height from the top where the picture is upright."""
    info = probe(path)
    frames: list[RgbImage] = []
    for frame in tick_frames(info, 0, info.n_ticks):
        if frame.rgb is None:
            continue
        height, width = frame.rgb.shape[:2]
        side = min(height, width)
        top, left = min((height - side) // 2, height // 5), (width - side) // 2
        square = frame.rgb[top : top + side, left : left + side]
        frames.append(np.asarray(cv2.resize(square, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA), np.uint8))
    return frames


def _resized(frames: list[RgbImage], side: int) -> list[RgbImage]:
    return [np.asarray(cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA), np.uint8) for frame in frames]


def _luma(frames: list[RgbImage]) -> Float32Array:
    small = np.stack(_resized(frames, SMALL_PX)).astype(np.float32)
    return np.asarray(small @ np.array([0.299, 0.587, 0.114], np.float32), np.float32)


def _encoded(frames: list[RgbImage], *, crf: int | None = None, bits_per_s: int | None = None) -> list[RgbImage]:
    """Return the pictures after x264 with its own settings but for the quality."""
    file = BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=25, options={} if crf is None else {"crf": str(crf)})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        if bits_per_s is not None:
            stream.bit_rate = bits_per_s
        for frame in frames:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        output.mux(stream.encode(None))
    return _pictures(file.getvalue())


def _pictures(mp4: bytes) -> list[RgbImage]:
    with av.open(BytesIO(mp4), "r") as opened:
        return [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in opened.decode(video=0)]


if __name__ == "__main__":
    main()
