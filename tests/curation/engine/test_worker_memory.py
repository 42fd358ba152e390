"""A worker's memory does not grow by the pictures that it has seen."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import resource, sys
from pathlib import Path
from curation.analysis.analyze import analyze_frames
from curation.settings import CurationSettings, load_settings
from curation.media.probe import probe
from curation.engine.worker import WorkerPlan

overrides = ["speech.encoder=none", "speech.denoiser=none", "perception.identity=dlib"]
settings = load_settings(CurationSettings(), None, overrides)
worker = WorkerPlan(settings=settings, dataset=Path("dataset")).make_worker()
info = probe(Path(sys.argv[1]))

def measure(n_ticks):
    analyze_frames(info, worker.perception, 0, n_ticks, settings.media)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

print(measure(50), measure(500))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="about glibc's allocator")
def test_ten_times_as_many_pictures_take_no_more_room_than_their_evidence(repository: Path) -> None:
    sample = repository / "samples" / "talking_astronaut.mp4"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(sample)], check=True, capture_output=True, text=True, cwd=repository
    )
    few_mib, many_mib = map(float, done.stdout.split())
    # 450 pictures of 640 by 480 are 395 MiB; their evidence is some 5, and heaps are never quite full
    assert many_mib - few_mib < 60
