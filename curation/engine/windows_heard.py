"""The sound of a long video, measured before its windows, of which those without possible speech need no picture."""

import time
from collections.abc import Sequence

from curation.analysis.analyze import not_looked_at
from curation.analysis.ranges import clipped
from curation.engine.sound_first import looked_at
from curation.engine.worker import VideoWorker
from curation.media.probe import VideoInfo
from curation.output.video_files import VideoFiles
from curation.output.window_files import read_sound, unmeasured, write_sound, write_window
from manifests.timeline import TickRange, Window

__all__ = ["pictures_to_measure"]


def pictures_to_measure(
    worker: VideoWorker, files: VideoFiles, info: VideoInfo, stretches: Sequence[TickRange], windows: Sequence[Window]
) -> tuple[list[Window], list[TickRange]]:
    """Write the evidence of the sound of a long video, unless it is there, and of the windows that need no picture.

    Args:
        worker: measures it.
        files: of the video.
        info: what was probed of it.
        stretches: those to curate.
        windows: those that no earlier run has measured.

    Returns:
        the windows that are left to measure, and the ranges of the video of which pictures are measured.

    Raises:
        MediaError: the file cannot be opened.
        OSError: the dataset cannot be read or written.
    """
    started = time.perf_counter()
    if not files.sound.exists():
        write_sound(files, worker.heard(info, stretches), time.perf_counter() - started)
    looks = looked_at(read_sound(files)[0], stretches, info.n_ticks, worker.plan.settings)
    for window in windows:
        if not clipped(looks, window.ticks):
            write_window(files, window, not_looked_at(worker.perception, window.n_ticks), 0.0)
    return unmeasured(files, windows), looks
