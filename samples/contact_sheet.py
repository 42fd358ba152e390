"""Draw a contact sheet of the sample video: one frame per shot, with its time and label.

python samples/contact_sheet.py docs/images/sample_contact_sheet.png
"""

import argparse
import itertools
import json
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["draw", "main"]

_HERE = Path(__file__).resolve().parent
_TILE_WH = (192, 144)
_COLUMNS = 7
_FPS = 25


def draw(video: Path, truth: Path) -> npt.NDArray[np.uint8]:
    """Return the (H, W, 3) RGB contact sheet of `video` with the labels of `truth`."""
    with av.open(str(video)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    tiles = []
    for stretch in json.loads(truth.read_text(encoding="utf-8")):
        edges = [stretch["start_s"], *stretch["cuts"], stretch["end_s"]]
        for shot, (start_s, end_s) in enumerate(itertools.pairwise(edges)):
            tile = cv2.resize(
                frames[round((start_s * 0.55 + end_s * 0.45) * _FPS)], _TILE_WH, interpolation=cv2.INTER_AREA
            )
            cv2.rectangle(tile, (0, _TILE_WH[1] - 20), _TILE_WH, (24, 24, 24), -1)
            label = f"{start_s:5.2f}-{end_s:5.2f} s {'cut, ' if shot else ''}{stretch['label'].replace('_', ' ')}"
            origin = (6, _TILE_WH[1] - 6)
            cv2.putText(tile, label, origin, cv2.FONT_HERSHEY_SIMPLEX, 0.36, (255, 255, 255), 1, cv2.LINE_AA)
            tiles.append(np.asarray(tile, np.uint8))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % _COLUMNS)
    rows = [np.hstack(tiles[first : first + _COLUMNS]) for first in range(0, len(tiles), _COLUMNS)]
    return np.asarray(np.vstack(rows), np.uint8)


def main() -> None:
    """Write the contact sheet as a PNG."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("png", type=Path, help="file to write")
    png: Path = parser.parse_args().png
    sheet = draw(_HERE / "talking_astronaut.mp4", _HERE / "talking_astronaut.truth.json")
    Image.fromarray(sheet).save(png, optimize=True)
    print(f"{png}: {png.stat().st_size} bytes")


if __name__ == "__main__":
    main()
