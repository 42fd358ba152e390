"""Take a portrait and speech out of a dataset, to try a model on: the first picture and the sound of a spoken clip.

    python examples/first_clip.py DATASET FOLDER

writes FOLDER/portrait.png and FOLDER/speech.flac.
"""

import sys
from pathlib import Path

from PIL import Image

from manifests.files.media import read_frames
from manifests.files.tables import read_table
from manifests.files.tar import MemberRange, read_member


def main() -> None:
    """Write both files."""
    dataset, folder = Path(sys.argv[1]), Path(sys.argv[2])
    columns = ["clip_id", "tier", "media", "mp4_offset", "mp4_size", "flac_offset", "flac_size"]
    spoken = [row for row in read_table(dataset, "clips", columns).to_pylist() if row["tier"] == "diffusion"]
    if not spoken:
        sys.exit(f"{dataset} has no clip of tier diffusion; `gaia-curate stats {dataset}` tells why")
    clip = min(spoken, key=lambda row: row["clip_id"])
    mp4, flac = (
        read_member(dataset, clip["media"], MemberRange(offset=clip[f"{kind}_offset"], size=clip[f"{kind}_size"]))
        for kind in ("mp4", "flac")
    )
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(next(iter(read_frames(mp4).frames))).save(folder / "portrait.png")
    (folder / "speech.flac").write_bytes(flac)
    sys.stdout.write(f"clip {clip['clip_id']}: {folder / 'portrait.png'}, {folder / 'speech.flac'}\n")


if __name__ == "__main__":
    main()
