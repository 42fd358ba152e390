"""What does the network that compares lips with sound learn of all people, for the file of the package?

    python -m benchmarks.lip_sync.teach DATASET... [--cache FILE] [--out FILE]

The datasets are what `gaia-curate run --preset embedded` makes of the folders `talk` and `clips` that `GAIA_SHARED`
holds. All people are taught on whose repository does not exclude commercial use; `benchmarks.lip_sync.figures` measures
people held out.
"""

import argparse
import hashlib
import os
from pathlib import Path

import numpy as np

from benchmarks.lip_sync.shared_videos import shared_stretches, shared_videos
from curation.perception.sync import model
from curation.perception.sync.fitting.fit import taught_on
from curation.perception.sync.fitting.ridge import aligned


def main() -> None:
    """Parse the arguments, teach, and print what was taught on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="+", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--out", type=Path, default=Path(model.__file__).with_name("sync.safetensors"))
    chosen = parser.parse_args()
    shared = Path(os.environ.get("GAIA_SHARED", "../shared"))
    known = shared_videos(shared)
    stretches = [one for one in shared_stretches(chosen.datasets, shared, chosen.cache) if known[one.file].taught]
    alignment = aligned(stretches)
    network = taught_on(stretches, alignment, np.ones(len(stretches), dtype=np.bool_))
    content = model.network_file(network)
    chosen.out.write_bytes(content)
    kept = [one for one, is_kept in zip(stretches, alignment.kept, strict=True) if is_kept]
    print(f"{len(kept)} of {len(stretches)} stretches, {len({one.file for one in kept})} files, ", end="")
    print(f"{sum(map(len, kept)) / 1500:.1f} min; {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main()
