"""Videos that a run has left to do: new ones, and those that lack what is measured since an earlier run."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from curation.output.folder import DatasetFolder
from curation.output.ledger import VideoRecord
from curation.output.lip_evidence import is_incomplete, lip_columns
from curation.perception.models import lacks_lip_points
from curation.perception.settings import PerceptionSettings
from curation.sources.entries import SourceVideo
from foundation.storage.path_text import has_secrets
from foundation.text import count_text, duration_text
from manifests.packing.unmeasured import unmeasured_ticks_of
from manifests.vocabulary import TIERS, ErrorCode, Tier

__all__ = ["Completion", "completed", "lacking", "lacking_ticks", "left_to_do", "left_to_measure"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """What became of videos that an earlier run had curated, and that lacked a measure."""

    before: tuple[VideoRecord, ...]
    """Records of those that have it now, as they were."""
    now: tuple[VideoRecord, ...]
    """The same as they are."""
    kept: tuple[VideoRecord, ...]
    """Records of those that could not be completed, which stay as they were."""
    measured: tuple[VideoRecord, ...] = ()
    """Records of those of which every tick is measured now."""
    unmeasured: tuple[VideoRecord, ...] = ()
    """Records of those that could not be measured further, which stay as they were."""

    def notes(self, settings: PerceptionSettings) -> tuple[str, ...]:
        """Return sentences for the user.

        Args:
            settings: name the models.
        """
        notes = []
        if lacks_lip_points(settings):
            notes.append(
                f"Lips are not compared with the sound: perception.faces={settings.faces} does not give the landmarks "
                "that it takes."
            )
        if self.now:
            models = " and ".join(model for model in lip_columns(settings).values() if model is not None)
            kept = ", ".join(f"tier {tier} {_kept(self.now, tier)}, was {_kept(self.before, tier)}" for tier in TIERS)
            notes.append(
                f"{count_text(len(self.now), 'video')} of an earlier run: compared with their sound ({models}) and "
                f"decided again; no frame was measured again, and clips that stay the same keep their files: {kept}."
            )
        if self.kept:
            notes.append(
                f"{count_text(len(self.kept), 'video')} of an earlier run could not be compared with the sound, such "
                f"as {self.kept[0].path}; nothing of them is changed, and the same command tries again."
            )
        if self.measured:
            notes.append(
                f"{count_text(len(self.measured), 'video')} of an earlier run: measured on every tick; clips that stay "
                "the same keep their files."
            )
        if self.unmeasured:
            notes.append(
                f"{count_text(len(self.unmeasured), 'video')} of an earlier run could not be measured on every tick, "
                f"such as {self.unmeasured[0].path}; nothing of them is changed, and the same command tries again."
            )
        return tuple(notes)


def _kept(records: Sequence[VideoRecord], tier: Tier) -> str:
    return duration_text(
        sum(record.kept_diffusion_s if tier == "diffusion" else record.kept_vae_s for record in records)
    )


def lacking_ticks(folder: DatasetFolder) -> frozenset[str]:
    """Return the ids of videos of which some ticks are not measured, where the settings ask for every tick.

    Raises:
        DatasetError, OSError: a file is damaged, or cannot be read.
    """
    every_tick = folder.settings.analysis.every_tick
    return frozenset(unmeasured_ticks_of(folder.path)) if every_tick else frozenset()


def left_to_measure(
    folder: DatasetFolder, videos: Sequence[SourceVideo], done: Mapping[str, VideoRecord]
) -> list[SourceVideo]:
    """Return the videos that a run would measure: without a record, or with labels that differ from their record.

    And those of which more ticks are asked for than were measured. Nothing is written.

    Raises:
        DatasetError, OSError: a file of the dataset is damaged, or cannot be read.
    """
    coarse = frozenset[str]() if folder.is_new else lacking_ticks(folder)
    return [
        video
        for video in videos
        if video.duplicate_of is None
        and video.read_error is None
        and (
            (record := done.get(video.video_id)) is None
            or (record.status != "excluded" and (not record.is_about(video) or _lacks_ticks(record, coarse)))
        )
    ]


def lacking(
    todo: Sequence[SourceVideo],
    done: Mapping[str, VideoRecord],
    settings: PerceptionSettings,
    coarse: Collection[str],
) -> dict[str, VideoRecord]:
    """Return the records of videos to curate that an earlier run has curated, by their ids.

    Args:
        todo: videos to curate.
        done: records by video id.
        settings: name the models.
        coarse: ids of videos of which more ticks are to be measured.
    """
    before = {video.video_id: done[video.video_id] for video in todo if video.video_id in done}
    return {
        video_id: record
        for video_id, record in before.items()
        if is_incomplete(record, settings) or _lacks_ticks(record, coarse)
    }


def _lacks_ticks(record: VideoRecord, coarse: Collection[str]) -> bool:
    return record.status == "ok" and record.video_id in coarse


def completed(
    folder: DatasetFolder,
    before: Mapping[str, VideoRecord],
    curated: Sequence[VideoRecord],
    coarse: Collection[str],
) -> Completion:
    """Return what became of videos that lacked a measure; of those that failed now, the earlier record is restored.

    Args:
        folder: the dataset.
        before: their records as they were, by video id.
        curated: records of all videos that were curated now.
        coarse: ids of videos of which more ticks were to be measured.

    Raises:
        OSError: the dataset cannot be written.
    """
    again = [record for record in curated if record.video_id in before]
    now = [record for record in again if record.status == "ok"]
    kept = [before[record.video_id] for record in again if record.status != "ok"]
    for record in kept:
        folder.write(record)
    compared = tuple(record for record in now if record.video_id not in coarse)
    return Completion(
        before=tuple(before[record.video_id] for record in compared),
        now=compared,
        kept=tuple(record for record in kept if record.video_id not in coarse),
        measured=tuple(record for record in now if record.video_id in coarse),
        unmeasured=tuple(record for record in kept if record.video_id in coarse),
    )


def left_to_do(
    folder: DatasetFolder, videos: Sequence[SourceVideo], done: dict[str, VideoRecord], coarse: Collection[str]
) -> tuple[list[SourceVideo], int]:
    """Return the videos to curate, and how many an earlier run has done.

    Among those to curate are videos that an earlier run has curated without a comparison of their faces with the sound,
    or with another one, and those that are `coarse`. A file that cannot be read is neither: it gets its record in
    `done` now.
    """
    todo = []
    already_done = 0
    for video in videos:
        if video.duplicate_of is not None or _is_excluded(done.get(video.video_id)):
            continue
        if video.read_error is not None:
            code: ErrorCode = "unreachable" if video.unreachable else "unreadable"
            done[video.video_id] = VideoRecord.failed(video, code, video.read_error)
            folder.write(done[video.video_id])
        elif video.video_id in done and not _is_worth_another_try(video, done[video.video_id]):
            record = done[video.video_id]
            if is_incomplete(record, folder.settings.in_use.perception) or _lacks_ticks(record, coarse):
                todo.append(video)
            else:
                already_done += 1
        else:
            todo.append(video)
    return todo, already_done


def _is_worth_another_try(video: SourceVideo, record: VideoRecord) -> bool:
    """Return whether a video failed for want of its file, which has just been read.

    `changed`: its content is there again, under this name or another. `unreachable`: `retry` cannot reach it without
    the token in the address of this run.
    """
    if record.status != "failed":
        return False
    if record.error_code == "changed":
        return True
    return record.error_code == "unreachable" and has_secrets(video.path)


def _is_excluded(record: VideoRecord | None) -> bool:
    return record is not None and record.status == "excluded"
