"""Take a portrait and speech out of a dataset, to try a model on: the first frame and the audio of a clip with speech.

    python examples/first_clip.py DATASET FOLDER

writes FOLDER/portrait.png and FOLDER/speech.flac.
"""

import sys
from pathlib import Path

from PIL import Image

from manifests import Dataset


def main() -> None:
    """Write both files."""
    data, folder = Dataset(sys.argv[1]), Path(sys.argv[2])
    names = data.clips(tier="diffusion", columns=["clip_id"])["clip_id"].to_pylist()
    if not names:
        sys.exit(f"{data.path} has no clip of tier diffusion; `gaia-curate stats {data.path}` tells why")
    clip = data.clip(min(names))
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(clip.frames([0])[0]).save(folder / "portrait.png")
    (folder / "speech.flac").write_bytes(clip.flac() or b"")
    sys.stdout.write(f"clip {clip.clip_id}: {folder / 'portrait.png'}, {folder / 'speech.flac'}\n")


if __name__ == "__main__":
    main()
