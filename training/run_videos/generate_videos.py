"""Generate the videos of a protocol from a trained run, into a folder that is gone on with where it was left.

FOLDER/generated.json says which videos they are and what made them. It is written before the first video, so that the
folder is never taken for another run's; a video whose files are there is not generated again.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from foundation.errors import ProblemsFoundError, UsageError
from foundation.packages import DISTRIBUTION
from foundation.settings import settings_of
from foundation.storage.atomic import write_json_atomic
from foundation.storage.regular_files import read_small
from foundation.text import count_text
from manifests.errors import DatasetError, MediaError
from training.data.clips import ClipError
from training.evaluation.protocols.protocol import EvaluationProtocol
from training.run_videos.planned_videos import PlannedVideo, planned_videos, short_clips
from training.run_videos.tested_run import TestedRun
from training.run_videos.written_videos import COPY, VideoWriter, folders_of

__all__ = ["RECORD_FILE", "GeneratedRecord", "GeneratedVideos", "generate_videos"]

RECORD_FILE = "generated.json"

_RECORD_BYTES = 256 << 20


class GeneratedRecord(BaseModel):
    """The content of generated.json."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    format: Literal["gaia-generated-1"] = "gaia-generated-1"
    protocol: str
    settings: dict[str, JsonValue]
    """Content of the protocol."""
    run: str
    """Folder and checkpoint of the run, such as `motion/step_00200000`."""
    sha256: dict[str, str]
    """Digests of the weights files, by `vae` and `motion`."""
    size_px: int
    """Height and width of the videos."""
    software: str
    """Version that generated them first."""
    complete: bool
    """Whether all videos are there, but those that are left out."""
    videos: tuple[PlannedVideo, ...]
    left_out: dict[str, str]
    """Videos without files, by their stem, each with the reason."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GeneratedVideos:
    """Result of `generate_videos`; its `str` is a report for people."""

    protocol: str
    folder: Path
    """Of `outputs`, `truth` and `reference`."""
    n_videos: int
    """Videos that are there."""
    n_clips: int
    """Clips that drive them."""
    n_frames: int
    """Their frames."""
    n_new: int
    """Videos among these that this call generated."""
    left_out: Mapping[str, str]
    """Videos that could not be generated, by their stem, each with the reason."""
    notes: tuple[str, ...]
    """What is unlike the protocol, a sentence each."""
    copy: Path | None = None
    """Folder of videos that copy the picture; None: the protocol has none."""

    @property
    def outputs(self) -> Path:
        """Folder of the generated videos."""
        return self.folder / "outputs"

    @property
    def truth(self) -> Path:
        """Folder of the true videos."""
        return self.folder / "truth"

    @property
    def reference(self) -> Path:
        """Folder of the pictures that were animated."""
        return self.folder / "reference"

    def __str__(self) -> str:
        """Return the report."""
        earlier = self.n_videos - self.n_new
        before = f", {earlier} of them there already" if earlier else ""
        videos = f"{count_text(self.n_videos, 'video')} of {count_text(self.n_clips, 'clip')}"
        videos = f"{videos}, {count_text(self.n_frames, 'frame')}{before}"
        lines = [f"{self.protocol}: {videos}: {self.folder}"]
        lines += [f"note: {note}" for note in self.notes]
        lines += [f"left out: {stem}: {reason}" for stem, reason in self.left_out.items()]
        return "\n".join(lines)


def generate_videos(
    run: TestedRun,
    name: str,
    protocol: EvaluationProtocol,
    folder: Path,
    *,
    limit: int | None = None,
    on_video: Callable[[int, int], None] | None = None,
) -> GeneratedVideos:
    """Generate the videos of a protocol, but those that are in the folder already.

    Args:
        run: with the clips that it may be tested on.
        name: of the protocol.
        protocol: its content.
        folder: new, empty, or of an earlier call with the same run, checkpoint and protocol.
        limit: number of driving clips, drawn by their names; None: all.
        on_video: called with the number of videos done, and of all.

    Raises:
        UnsuitedRunError: the run was not trained for the protocol; the message names the command that trains one.
        UnusableTestSetError: the clips do not allow the protocol.
        UsageError: the folder holds something else, or videos that are not asked for.
        ProblemsFoundError: no video could be generated, because all clips are damaged.
        OSError: the disk refused; the videos so far stay.
    """
    run.require_able(name, protocol)
    planned = planned_videos(name, protocol, run.clips, limit)
    record = GeneratedRecord(
        protocol=name,
        settings=settings_of(protocol),
        run=run.networks.label,
        sha256=dict(run.sha256),
        size_px=run.networks.size_px,
        software=f"{DISTRIBUTION} {version(DISTRIBUTION)}",
        complete=False,
        videos=planned,
        left_out={},
    )
    record = _begun(folder, record, folders_of(protocol))
    writer = VideoWriter(run, name, protocol, folder)
    left_out: dict[str, str] = {}
    n_new = 0
    for number, video in enumerate(planned):
        if on_video is not None:
            on_video(number, len(planned))
        if writer.is_written(video):
            continue
        try:
            writer.write(video)
            n_new += 1
        except (ClipError, MediaError, DatasetError) as error:
            left_out[video.stem] = str(error)
    made = [video for video in planned if video.stem not in left_out]
    if not made:
        raise ProblemsFoundError(
            f"{folder}: none of {count_text(len(planned), 'video')} could be generated; `gaia-curate validate "
            f"{run.dataset.path}` lists what is damaged, first: {next(iter(left_out.values()))}"
        )
    done = record.model_copy(update={"complete": True, "left_out": left_out})
    write_json_atomic(folder / RECORD_FILE, done.model_dump(mode="json"))
    return GeneratedVideos(
        protocol=name,
        folder=folder,
        n_videos=len(made),
        n_clips=len({video.clip_id for video in made}),
        n_frames=sum(video.n_frames for video in made),
        n_new=n_new,
        left_out=left_out,
        notes=tuple(short_clips(protocol, planned)),
        copy=folder / COPY if protocol.has_copy else None,
    )


def _begun(folder: Path, record: GeneratedRecord, kinds: Iterable[str]) -> GeneratedRecord:
    """Write the record of a call that begins or goes on, and return it.

    Raises:
        UsageError: the folder is not free for it.
    """
    path = folder / RECORD_FILE
    if not path.exists():
        if folder.is_dir() and any(not entry.name.startswith(".") for entry in folder.iterdir()):
            raise UsageError(f"{folder} holds files that no evaluation generated; name a folder that is new or empty")
    else:
        try:
            before = GeneratedRecord.model_validate_json(read_small(path, _RECORD_BYTES, follow_links=False))
        except (OSError, ValidationError) as error:
            raise UsageError(f"{path} is damaged: {error}; name another folder") from error
        _require_same(folder, before, record)
        record = record.model_copy(update={"software": before.software})
    for kind in kinds:
        (folder / kind).mkdir(parents=True, exist_ok=True)
    write_json_atomic(path, record.model_dump(mode="json"))
    return record


def _require_same(folder: Path, before: GeneratedRecord, now: GeneratedRecord) -> None:
    same = ("protocol", "settings", "run", "sha256", "size_px")
    differing = [name for name in same if getattr(before, name) != getattr(now, name)]
    if differing:
        was, given = (f"{record.protocol} by {record.run}" for record in (before, now))
        raise UsageError(
            f"{folder} holds videos of {was}, and {given} is asked for, which differs in {', '.join(differing)}; name "
            "another folder"
        )
    other = {video.stem for video in before.videos} - {video.stem for video in now.videos if video in before.videos}
    if other:
        raise UsageError(
            f"{folder} holds {count_text(len(other), 'video')} beside those asked for now, such as {min(other)}: the "
            "clips of the test set are others, or fewer; give at least the limit of before, or name another folder"
        )
