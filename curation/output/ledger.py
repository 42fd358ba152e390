"""Ledger of a dataset: one small record per video, from which runs resume and the table `videos` is made."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from curation.media.probe import VideoInfo
from curation.sources.entries import SourceVideo
from curation.sources.trims import Trim, requested_s
from foundation.address_text import without_secrets
from foundation.errors import UsageError
from foundation.storage.atomic import write_bytes_atomic
from foundation.storage.locations import files_in, read_all
from foundation.storage.path_text import path_of_text, text_of_path
from manifests.timeline import TICK_RATE_HZ
from manifests.vocabulary import ErrorCode, VideoStatus

__all__ = ["LedgerError", "VideoRecord", "read_ledger", "with_copies_outcomes", "write_record"]

_RECORD_BYTES = 16 << 20
"""Most that a record can have: some hundred bytes, and the stretches that an annotation names, in long videos many."""


class LedgerError(UsageError):
    """A record of the ledger cannot be read."""


class VideoRecord(BaseModel):
    """A row of the table `videos`; `manifests.schema.tables` describes each field."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    video_id: str
    source: str
    path: str
    speaker_id: str | None
    trims: tuple[Trim, ...] = ()
    size_bytes: int
    duration_s: float | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    codec: str | None = None
    has_audio: bool | None = None
    audio_track: int | None = None
    audio_tracks: int | None = None
    rotation: int | None = None
    status: VideoStatus
    error_code: ErrorCode | None = None
    error_detail: str | None = None
    duplicate_of: str | None = None
    kept_diffusion_s: float = 0.0
    kept_vae_s: float = 0.0
    n_clips: int = 0
    analyze_s: float = 0.0
    decide_s: float = 0.0
    render_s: float = 0.0

    @classmethod
    def failed(cls, video: SourceVideo, code: ErrorCode, detail: str) -> "VideoRecord":
        """Return the record of a video that could not be curated."""
        # It may quote a file name whose bytes are no Unicode, which neither JSON nor Parquet can hold.
        storable = without_secrets(detail.encode(errors="backslashreplace").decode())
        outcome = {"status": "failed", "error_code": code, "error_detail": storable}
        return _record(video).model_copy(update=outcome)

    @classmethod
    def excluded(cls, video: SourceVideo, reason: str) -> "VideoRecord":
        """Return the record of a video that a list of people or videos leaves out; nothing else is known of it."""
        return cls.failed(video, "excluded", reason).model_copy(update={"status": "excluded"})

    @classmethod
    def quarantined(cls, video: SourceVideo, code: ErrorCode, detail: str) -> "VideoRecord":
        """Return the record of a video that is quarantined because workers were lost with it."""
        return cls.failed(video, code, detail).model_copy(update={"status": "quarantined"})

    @classmethod
    def duplicate(cls, video: SourceVideo, of: Path) -> "VideoRecord":
        """Return the record of a file whose content is analysed under another name."""
        return _record(video).model_copy(update={"duplicate_of": text_of_path(of)})

    def with_outcome_of(self, original: "VideoRecord") -> "VideoRecord":
        """Return the record of a copy with what became of the file that was analysed in its stead."""
        names = ("status", "error_code", "error_detail")
        return self.model_copy(update={name: getattr(original, name) for name in names})

    @classmethod
    def curated(cls, video: SourceVideo, info: VideoInfo, outcome: Mapping[str, float]) -> "VideoRecord":
        """Return the record of a video that went through all phases.

        Args:
            video: the file.
            info: what was probed of it.
            outcome: seconds kept, number of clips, seconds spent, by the names of the fields.
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
            trims=self.trims,
            size_bytes=self.size_bytes,
        )


def read_ledger(dataset: Path) -> dict[str, VideoRecord]:
    """Return the records of a dataset by video id.

    Raises:
        LedgerError: a record is damaged; the message names the file to remove, which curates that video again.
    """
    records = {}
    paths = files_in(dataset / "ledger", ".json")
    for path, content in zip(paths, read_all(paths, _RECORD_BYTES), strict=True):
        try:
            record = VideoRecord.model_validate_json(content)
        except ValidationError as error:
            raise LedgerError(
                f"{path}: not a record of this version ({error.error_count()} problems); remove it to "
                "curate that video again"
            ) from error
        records[record.video_id] = record
    return records


def write_record(dataset: Path, record: VideoRecord) -> None:
    """Write the record of a video atomically, after all other files of the video."""
    text = record.model_dump_json(indent=1) + "\n"
    write_bytes_atomic(dataset / "ledger" / f"{record.video_id}.json", text.encode())


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
        trims=video.trims,
        size_bytes=video.size_bytes,
        status="ok",
    )
