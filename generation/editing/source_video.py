"""The video that is edited: as long as the speech, and one face all the time."""

from generation.driving import DrivingVideo, read_edited, ticks_of_video
from generation.request import GenerationJob
from generation.speech import read_speech
from generation.trained_run import TrainedRun

__all__ = ["edit_notes", "edited_video"]


def edited_video(job: GenerationJob, run: TrainedRun, n_frames: int) -> DrivingVideo | None:
    """Return the first `n_frames` of the video that is edited; None: none is.

    Raises:
        GenerationError: it cannot be read, is shorter, or does not show one face, the same, all the time.
    """
    if job.edit is None:
        return None
    return read_edited("--edit", job.edit.video, run.measuring.perception, run.curation, run.size_px, n_frames)


def edit_notes(job: GenerationJob, run: TrainedRun) -> tuple[str, ...]:
    """Return a sentence that the video is cut, where it is longer than the speech.

    Raises:
        GenerationError: the video or the speech cannot be read, or the video is shorter.
    """
    if job.edit is None or job.speech is None:
        return ()
    n_frames = read_speech(job.speech).n_frames
    n_ticks = ticks_of_video("--edit", job.edit.video, run.curation, at_least=n_frames)
    if n_ticks == n_frames:
        return ()
    return (
        f"the speech has {n_frames} frames and the edited video {n_ticks}; what comes after the speech is left out",
    )
