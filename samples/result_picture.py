"""Draw the result of curating the sample video: its frames, the outcome of every second in both tiers, and the clips.

python samples/result_picture.py out/demo docs/images/result.png
"""

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np

from curation.media.frames import tick_frames
from curation.media.probe import probe
from foundation.storage.path_text import path_of_text
from manifests.files.media import read_frames
from manifests.files.tables import read_table
from manifests.files.tar import MemberRange, read_member
from manifests.schema.arrow_arrays import numpy_of
from manifests.vocabulary import TIERS

mpl.use("Agg")
from matplotlib import pyplot as plt

COLOURS = {
    "kept": "#3a9d5d",
    "frontal": "#e0a030",
    "jitter": "#d0583c",
    "mask": "#4a7fb5",
    "silence": "#8c8c8c",
    "several_faces": "#8d62a8",
    "no_face": "#3f3f3f",
    "too_short": "#d9d9d9",
}
N_FRAMES = 15
N_CLIPS = 6


def draw(dataset: Path, out: Path) -> None:
    """Write the image of a dataset that holds one video."""
    (video,) = read_table(dataset, "videos").to_pylist()
    info = probe(path_of_text(video["path"]))
    figure = plt.figure(figsize=(12, 4.6), dpi=100)
    grid = figure.add_gridspec(3, 1, height_ratios=[1.0, 0.62, 2.0], left=0.075, right=0.99, top=0.99, bottom=0.01)

    step = info.n_ticks // N_FRAMES
    middles = [step // 2 + i * step for i in range(N_FRAMES)]
    strip = [next(iter(tick_frames(info, tick, tick + 1))).rgb[:, 70:390] for tick in middles]
    axes = figure.add_subplot(grid[0])
    axes.imshow(np.hstack(strip), aspect="auto", extent=(0, info.duration_s, 0, 1))
    axes.set_yticks([0.5], ["source"])
    axes.set_xticks([])

    axes = figure.add_subplot(grid[1])
    for row, tier in enumerate(TIERS):
        for span in read_table(dataset, "spans").to_pylist():
            if span["tier"] != tier:
                continue
            seconds = span["end_s"] - span["start_s"]
            bar = axes.barh(-row, seconds, left=span["start_s"], color=COLOURS[span["outcome"]], edgecolor="white")
            if seconds > 2.5:
                axes.bar_label(bar, [span["outcome"].replace("_", " ")], label_type="center", color="white", size=7.5)
    axes.set_yticks([0, -1], TIERS)
    axes.set_xlim(0, info.duration_s)
    axes.set_xticks(range(0, int(info.duration_s) + 1, 5), [f"{s} s" for s in range(0, int(info.duration_s) + 1, 5)])
    axes.tick_params(axis="x", labelsize=8, length=2)
    for side in axes.spines.values():
        side.set_visible(False)

    axes = figure.add_subplot(grid[2])
    table = read_table(dataset, "clips")
    rows = table.select(["media", "mp4_offset", "mp4_size", "start_s"]).to_pylist()
    for column, (row, points) in enumerate(zip(rows[:N_CLIPS], numpy_of(table["landmarks"]), strict=False)):
        mp4 = read_member(dataset, row["media"], MemberRange(offset=row["mp4_offset"], size=row["mp4_size"]))
        middle = len(points) // 2
        picture = list(read_frames(mp4).frames)[middle]
        axes.imshow(picture, extent=(column * 264, column * 264 + 256, 256, 0))
        axes.plot(column * 264 + points[middle, :, 0], points[middle, :, 1], ",", color="#7fff9f")
        axes.text(column * 264 + 6, 248, f"clip at {row['start_s']:.1f} s", color="white", size=8)
    axes.set_xlim(0, N_CLIPS * 264 - 8)
    axes.set_ylim(256, 0)
    axes.set_yticks([128], ["clips"])
    axes.set_xticks([])
    for side in axes.spines.values():
        side.set_visible(False)
    figure.savefig(out)


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    draw(arguments.dataset, arguments.out)


if __name__ == "__main__":
    main()
