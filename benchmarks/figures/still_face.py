"""How much do faces move in themselves: speakers, listeners, photographs?

    python -m benchmarks.figures.still_face DATASET

Per video of a curated dataset that shows its main face for two seconds and longer: the stillest stretch of it, and the
median over all, in face widths, the stillest video first, as a table.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.figures.curated_videos import own_motion, read_videos
from curation.decision.decide import RulesSettings
from foundation.text import text_table


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Motion of faces without that of the head.")
    parser.add_argument("dataset", type=Path)
    rules = RulesSettings()
    rows = []
    for video in read_videos(parser.parse_args().dataset, rules):
        motion = own_motion(video, rules.still_face)
        known = motion[~np.isnan(motion)]
        if len(known) >= rules.still_face.window_ticks:
            rows.append((video.name, float(known.min()), float(np.median(known))))
    rows.sort(key=lambda row: row[1])
    texts = [[name, f"{least:.4f}", f"{middle:.4f}"] for name, least, middle in rows]
    print(text_table(["video", "stillest 2 s", "median"], texts, numeric=[False, True, True]))


if __name__ == "__main__":
    main()
