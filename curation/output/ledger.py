"""Ledger of a dataset: one small record per video, from which runs resume and the table `videos` is made."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from curation.media.probe import VideoInfo
from curation.sources.entries import SourceVideo
from curation.sources.trims import Trim, requested_s
from curation.sources.video_labels import VideoLabels
from foundation.address_text import without_secrets
from foundation.errors import UsageError
from foundation.storage.atomic import write_bytes_atomic
from foundation.storage.leases import require_lease
from foundation.storage.locations import read_all
from foundation.storage.path_text import path_of_text, text_of_path
from foundation.storage.regular_files import FileTooLargeError
from manifests.errors import DatasetError, first_problem
from manifests.files.label_text import LabelText
from manifests.files.names import PathText, UnsafeValueError, VideoId, file_in, files_of
from manifests.files.numbers import Count, Count32, Degrees, FiniteNumber, Seconds
from manifests.files.tables import read_table
from manifests.packing.stated import RECORD_BYTES
from manifests.timeline import TICK_RATE_HZ
from manifests.vocabulary import LABEL_NAMES, ErrorCode, GeneratedTag, VideoStatus

__all__ = [
    "LedgerError",
    "VideoRecord",
    "read_ledger",
    "read_record",
    "read_rows",
    "with_copies_outcomes",
    "write_record",
]


class LedgerError(UsageError):
    """A record of the ledger cannot be read."""


class VideoRecord(BaseModel):
    """A row of the table `videos`; `manifests.schema.tables` describes each field."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    video_id: VideoId
    source: str
    path: PathText
    speaker_id: str | None
    licence: LabelText | None = None
    consent: LabelText | None = None
    language: LabelText | None = None
    age: LabelText | None = None
    gender: LabelText | None = None
    skin_type: LabelText | None = None
    trims: tuple[Trim, ...] = ()
    size_bytes: Count
    duration_s: Seconds | None = None
    width: Count32 | None = None
    height: Count32 | None = None
    fps: FiniteNumber | None = None
    codec: str | None = None
    has_audio: bool | None = None
    audio_track: Count32 | None = None
    audio_tracks: Count32 | None = None
    rotation: Degrees | None = None
    status: VideoStatus
    error_code: ErrorCode | None = None
    error_detail: str | None = None
    generated_tags: tuple[GeneratedTag, ...] | None = None
    duplicate_of: PathText | None = None
    duplicate_group: VideoId | None = None
    kept_diffusion_s: Seconds = 0.0
    kept_vae_s: Seconds = 0.0
    n_clips: Count32 = 0
    sync_z: FiniteNumber | None = None
    sync_offset_ticks: FiniteNumber | None = None
    sync_ticks: Count32 | None = None
    sync_model: str | None = None
    speaking_model: str | None = None
    analyze_s: Seconds = 0.0
    decide_s: Seconds = 0.0
    render_s: Seconds = 0.0

    @model_validator(mode="after")
    def _require_stretches(self) -> Self:
        for trim in self.trims:
            ends = [trim.start] if trim.end is None else [trim.start, trim.end]
            if ends[0] < 0.0 or ends != sorted(ends) or not all(map(math.isfinite, ends)):
                raise ValueError(f"{trim} is no stretch of a video")
            if trim.unit == "pictures" and self.duration_s and not (self.fps or 0.0) > 0.0:
                raise ValueError(f"{trim} are pictures of a video without a frame rate")
        return self

    @classmethod
    def failed(cls, video: SourceVideo, code: ErrorCode, detail: str) -> "VideoRecord":
        """Return the record of a video that could not be curated."""
        # It may quote a file name whose bytes are no Unicode, which neither JSON nor Parquet can hold.
        storable = without_secrets(detail.encode(errors="backslashreplace").decode())
        outcome = {"status": "failed", "error_code": code, "error_detail": storable}
        return _record(video).model_copy(update=outcome)

    @classmethod
    def excluded(cls, video: SourceVideo, reason: str, code: ErrorCode = "excluded") -> "VideoRecord":
        """Return the record of a video that the user leaves out; nothing else is known of it."""
        return cls.failed(video, code, reason).model_copy(update={"status": "excluded"})

    @classmethod
    def quarantined(cls, video: SourceVideo, code: ErrorCode, detail: str) -> "VideoRecord":
        """Return the record of a video that is quarantined because workers were lost with it."""
        return cls.failed(video, code, detail).model_copy(update={"status": "quarantined"})

    @classmethod
    def duplicate(cls, video: SourceVideo, of: Path) -> "VideoRecord":
        """Return the record of a file whose content is analysed under another name."""
        return _record(video).model_copy(update={"duplicate_of": text_of_path(of)})

    def with_outcome_of(self, original: "VideoRecord") -> "VideoRecord":
        """Return the record of a copy with what became of the file that was analysed in its stead, and its tags."""
        names = ("status", "error_code", "error_detail", "duplicate_group", "generated_tags")
        return self.model_copy(update={name: getattr(original, name) for name in names})

    @classmethod
    def curated(cls, video: SourceVideo, info: VideoInfo, outcome: Mapping[str, float | str | None]) -> "VideoRecord":
        """Return the record of a video that went through all phases.

        Args:
            video: the file.
            info: what was probed of it.
            outcome: seconds kept, number of clips, lips against sound, seconds spent, by the names of the fields.
        """
        probed = {
            "duration_s": float(info.n_ticks / TICK_RATE_HZ),
            "width": info.width_px,
            "height": info.height_px,
            "fps": float(info.fps),
            "codec": info.codec,
            "has_audio": info.has_audio,
            "audio_track": None if info.sound is None else info.sound.number,
            "audio_tracks": 0 if info.sound is None else len(info.sound.tracks),
            "rotation": info.rotation_deg,
            "generated_tags": info.generated_tags,
        }
        return _record(video).model_copy(update=probed | dict(outcome))

    @property
    def requested_s(self) -> float:
        """Seconds of the video that were to be curated; 0 if it could not be."""
        return requested_s(self.trims, self.duration_s, self.fps or 0.0) if self.duration_s else 0.0

    def is_about(self, video: SourceVideo) -> bool:
        """Return whether the record has the labels of a file: the same speaker, the same stretches."""
        return (self.speaker_id, self.trims) == (video.speaker_id, video.trims)

    def listing(self) -> SourceVideo:
        """Return the file with the labels that it had when it was listed."""
        return SourceVideo(
            path=path_of_text(self.path),
            video_id=self.video_id,
            source=self.source,
            speaker_id=self.speaker_id,
            labels=VideoLabels(**{name: getattr(self, name) for name in LABEL_NAMES}),
            trims=self.trims,
            size_bytes=self.size_bytes,
        )


def read_ledger(dataset: Path) -> dict[str, VideoRecord]:
    """Return the records of a dataset by video id.

    Raises:
        LedgerError: a record is damaged; the message names the file to remove, which curates that video again.
    """
    records = {}
    try:
        paths = files_of(dataset, "ledger", ".json")
        for path, content in zip(paths, read_all(paths, RECORD_BYTES), strict=True):
            record = _parsed(path, content)
            records[record.video_id] = record
    except (UnsafeValueError, FileTooLargeError) as error:
        raise LedgerError(str(error)) from error
    return records


def read_record(dataset: Path, video_id: str) -> VideoRecord | None:
    """Return the record of a video; None where there is none.

    Raises:
        LedgerError: it is damaged.
        OSError: it cannot be read.
    """
    path = file_in(dataset, f"ledger/{video_id}.json")
    try:
        (content,) = read_all([path], RECORD_BYTES)
    except FileNotFoundError:
        return None
    except FileTooLargeError as error:
        raise LedgerError(str(error)) from error
    return _parsed(path, content)


def _parsed(path: Path, content: bytes) -> VideoRecord:
    try:
        record = VideoRecord.model_validate_json(content)
    except ValidationError as error:
        raise LedgerError(
            f"{path}: not a record of this version ({error.error_count()} problems, such as {first_problem(error)}); "
            "remove it to curate that video again"
        ) from error
    if path.stem != record.video_id:
        raise LedgerError(f"{path}: it is about another video, {record.video_id}; remove it")
    return record


def read_rows(dataset: Path) -> list[VideoRecord]:
    """Return the table `videos`; no rows before the first run has ended.

    Raises:
        DatasetError: the table is damaged, or has a row that cannot be.
    """
    rows = read_table(dataset, "videos").to_pylist()
    try:
        return [VideoRecord.model_validate(row) for row in rows]
    except ValidationError as error:
        raise DatasetError(
            f"{dataset}: table videos is damaged: {first_problem(error)}; run the curation again"
        ) from error


def write_record(dataset: Path, record: VideoRecord) -> None:
    """Write the record of a video atomically, after all other files of the video.

    Raises:
        LeaseLostError: another command writes to the dataset now.
        OSError: it cannot be written.
    """
    text = record.model_dump_json(indent=1) + "\n"
    require_lease(dataset)
    write_bytes_atomic(file_in(dataset, f"ledger/{record.video_id}.json"), text.encode())


def with_copies_outcomes(rows: Sequence[VideoRecord]) -> list[VideoRecord]:
    """Return the rows, those of copies with what became of their originals."""
    originals = {row.video_id: row for row in rows if row.duplicate_of is None}
    return [row if row.duplicate_of is None else row.with_outcome_of(originals.get(row.video_id, row)) for row in rows]


def _record(video: SourceVideo) -> VideoRecord:
    return VideoRecord(
        video_id=video.video_id,
        source=video.source,
        path=text_of_path(video.path),
        speaker_id=video.speaker_id,
        **asdict(video.labels),
        trims=video.trims,
        size_bytes=video.size_bytes,
        status="ok",
    )
