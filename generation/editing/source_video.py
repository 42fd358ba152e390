"""The video that is edited: as long as the speech, and one face all the time."""

from generation.driving import DrivingVideo, read_edited, ticks_of_video
from generation.request import GenerationJob
from generation.speech import read_speech
from generation.trained_run import TrainedRun

__all__ = ["edited_video"]


def edited_video(job: GenerationJob, run: TrainedRun) -> tuple[DrivingVideo | None, tuple[str, ...]]:
    """Return the video that is edited, as far as the speech lasts, and a sentence if it is longer; None: none is.

    Raises:
        GenerationError: the video or the speech cannot be read, the video is shorter, or it does not show one face, the
            same, all the time.
    """
    if job.edit is None or job.speech is None:
        return None, ()
    option, path, settings = job.edit.option, job.edit.video, run.curation
    n_frames = read_speech(job.speech).n_frames
    n_ticks = ticks_of_video(option, path, settings, at_least=n_frames)
    video = read_edited(option, path, run.measuring.perception, settings, run.size_px, n_frames)
    cut = f"the edited video has {n_ticks} frames and the speech {n_frames}; what comes after them is left out"
    return video, () if n_ticks == n_frames else (cut,)
