"""New decisions on the evidence of a dataset: no perception model runs; videos are decoded only to render clips."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from curation.analysis.speaking_track import heard_by_number
from curation.decision.decide import Decision, decide
from curation.decision.settings import RulesSettings
from curation.decision.trial import require_usable
from curation.evidence.measures import Evidence
from curation.media.decoders import probe_for
from curation.media.probe import VideoInfo
from curation.operations.changed_limits import PICTURES, SOUND, TRACKING, require_measured, require_tags
from curation.operations.rendered_before import COLUMNS, rendered_before
from curation.operations.work import unchanged_source
from curation.output.curated_video import CuratedVideo, decided_columns, landmarks_of, write_decision, write_video_files
from curation.output.folder import DatasetFolder
from curation.output.frame_rows import evidence_of_frames
from curation.output.ledger import VideoRecord
from curation.output.recorded_rules import require_same_rules
from curation.output.sole_writer import require_outside, sole_writer_of_new
from curation.output.video_files import VideoFiles
from curation.output.weights_used import speech_weights
from curation.rendering.render import evidence_of_clips, render_clips
from curation.rules.rule import Rule, RuleError
from curation.settings import CurationSettings, equally_measured, load_settings
from curation.sources.scratch import ScratchSettings, readable
from curation.speech.models import SpeechModels, load_speech, speech_assets
from foundation.settings import Overrides
from foundation.storage.locations import location
from foundation.weights import ensure_assets
from manifests.dataset import Dataset
from manifests.errors import DatasetError
from manifests.packing.one_state import without_writer
from manifests.packing.pack import compact
from manifests.packing.packed_files import sources_of, table_inventory
from manifests.packing.rows import VideoRows
from manifests.schema.clips import CLIPS
from manifests.schema.frames import FRAMES
from manifests.timeline import TICK_RATE_HZ

__all__ = ["redecide"]


def redecide(
    dataset: str | Path,
    out: str | Path,
    file: str | Path | None = None,
    overrides: Overrides = (),
    *,
    render: bool = False,
    rules: Sequence[Rule] | None = None,
    scratch: ScratchSettings | None = None,
    wait: bool = False,
) -> Dataset:
    """Decide every video of `dataset` anew, with its own settings as changed by a file and by overrides, into `out`.

    Args:
        dataset: a dataset whose run has ended.
        out: a new folder, or one that the same call has begun.
        file: YAML file of settings.
        overrides: changes of settings, ``dotted.name=value`` or a mapping from the dotted name to the value.
        render: also cut the clips out of the source videos, which must be at their recorded paths.
        rules: rules of the user's own, in place of those that `dataset` was made with. None: it was made with none.
        scratch: where remote sources are copied to.
        wait: wait while another command writes to `out`, or changes `dataset`; otherwise such a command is an error.

    Returns:
        The dataset in `out`, open for reading.

    Raises:
        SettingsError: a wrong setting, or one that needs measuring anew.
        UnmeasuredError: the settings ask for ticks of some videos that were not measured; the message lists these
            videos, and nothing has been changed.
        DatasetError: `dataset` is no dataset.
        DatasetFolderError: `out` holds other files, or lies in `dataset`.
        OtherRulesError: `rules` are not given and `dataset` was made with some, or `out` was begun with others.
        RuleError: one of `rules` cannot be used, or raised on a video.
        SourceError: a source cannot be read for rendering, or has other content now.
        LeaseHeldError: another command writes to `out`, and `wait` is false.
        ChangingDatasetError: another command writes to `dataset`, or has begun to meanwhile.
        LeaseLostError: this process was stopped for so long that another command has begun.
        MissingAssetsError: weights that rendering needs are missing.
        OSError: a file cannot be read or written.
    """
    origin, out = location(dataset), location(out)
    require_outside(out, origin)
    with sole_writer_of_new(out, "gaia-curate decide", wait=wait):
        target, records = without_writer(
            origin,
            lambda: _decided(origin, out, file, overrides, render=render, rules=rules, scratch=scratch),
            wait=wait,
            repeat=False,
        )
        return target.finish(records)


def _decided(
    dataset: Path,
    out: Path,
    file: str | Path | None,
    overrides: Overrides,
    *,
    render: bool,
    rules: Sequence[Rule] | None,
    scratch: ScratchSettings | None,
) -> tuple[DatasetFolder, list[VideoRecord]]:
    """Decide every video anew, write its files, and return the new dataset, which is to be finished with the records.

    Raises:
        GaiaError, OSError: as of `redecide`.
    """
    origin = DatasetFolder.existing(dataset)
    if rules is None:
        rules = ()
        require_same_rules(origin.path, origin.record.rules, rules)
    settings = load_settings(origin.settings, file, overrides)
    changed = equally_measured(settings, origin.settings, origin.path)
    require_usable(rules, landmarks_of(settings))
    require_tags(origin, settings)
    require_measured(origin, settings)
    weights, speech = origin.record.weights, settings.in_use.speech
    if render:
        ensure_assets(speech_assets(speech))
        weights = (*(weight for weight in weights if weight.role == "perception"), *speech_weights(speech))
    target = DatasetFolder.begin(out, settings, weights=weights, rules=rules, origin=origin)
    compact(target.path, (), settings.storage)  # what the same call has packed before is decided again
    again = _Again(
        target=target.path,
        settings=settings,
        rules_before=origin.settings.rules,
        rules=target.rules,
        speech=load_speech(speech) if render else None,
        scratch=scratch or ScratchSettings(),
        same_frames=not any(line.startswith(TRACKING) for line in changed),
        same_pictures=not any(line.startswith(PICTURES) for line in changed),
        same_sound=weights == origin.record.weights and not any(line.startswith(SOUND) for line in changed),
        origin=origin.path,
    )
    records = []
    with (
        VideoRows(FRAMES, sources_of(table_inventory(origin.path, FRAMES))) as measured_rows,
        VideoRows(CLIPS, sources_of(table_inventory(origin.path, CLIPS)), COLUMNS) as rendered_rows,
    ):
        for row in origin.rows():
            record = row
            if row.status == "ok" and row.duplicate_of is None:
                frames = measured_rows.table_of(row.video_id)
                if row.duration_s and not len(frames):
                    raise DatasetError(f"{origin.path}: the evidence of {row.path} is gone; run the curation again")
                record = again.decided(frames, row, rendered_rows.table_of(row.video_id) if render else None)
            if render and record.duplicate_of is None:  # a copy has the id of its original
                target.write(record)
            records.append(record)
    return target, records


@dataclass(frozen=True, kw_only=True, slots=True)
class _Again:
    """The second decision on videos, one after the other."""

    target: Path
    settings: CurationSettings
    rules_before: RulesSettings
    """Settings of the rules with which the evidence was decided before."""
    rules: tuple[Rule, ...]
    """Of the user's own."""
    speech: SpeechModels | None
    """None: no clips are rendered."""
    scratch: ScratchSettings
    same_frames: bool
    """Whether the main face is chosen as before, so that the rows of `frames` stay as they are."""
    same_pictures: bool
    """Whether a clip of the same ticks has the same pictures."""
    same_sound: bool
    """Whether a clip of the same ticks and tier has the same sound, unless that is moved."""
    origin: Path
    """The dataset that is decided anew."""

    def decided(self, frames: pa.Table, before: VideoRecord, clips: pa.Table | None) -> VideoRecord:
        """Decide a video, write its files, and return its record.

        Args:
            frames: its rows of the table `frames`.
            before: its record in the dataset that they are from.
            clips: its rows of the table `clips`; None: clips are not rendered.

        Raises:
            RuleError: a rule of the user's own raised.
        """
        started = time.perf_counter()
        try:
            n_ticks = round((before.duration_s or 0.0) * TICK_RATE_HZ)
            evidence = replace(
                evidence_of_frames(frames, n_ticks, self.rules_before), generated_tags=before.generated_tags
            )
        except DatasetError as error:
            raise DatasetError(f"{before.path}: {error}; run the curation again") from error
        try:
            settings = self.settings
            identity, face_ratio = settings.perception.identity, settings.crop.face_ratio
            decision = decide(
                evidence, settings.rules, self.rules, identity=identity, face_ratio=face_ratio, tiers=settings.tiers
            )
        except RuleError as error:
            raise RuleError(f"{before.path}: {error}") from error
        decide_s = time.perf_counter() - started
        if self.speech is not None and clips is not None:
            return self._rendered(evidence, decision, before, clips, self.speech, decide_s)
        files = VideoFiles(self.target, before.listing())
        write_decision(files, evidence, decision, self.settings, frames if self.same_frames else None)
        spent = {"n_clips": 0, "analyze_s": 0.0, "decide_s": decide_s, "render_s": 0.0}
        return before.model_copy(update=decided_columns(decision) | spent)

    def _rendered(
        self,
        evidence: Evidence,
        decision: Decision,
        before: VideoRecord,
        clips_before: pa.Table,
        speech: SpeechModels,
        decide_s: float,
    ) -> VideoRecord:
        started = time.perf_counter()
        video = unchanged_source(before, consequence="its clips cannot be rendered")
        with readable(video, self.scratch) as path:
            info = _heard_as_before(probe_for(path, self.settings.media), before)
            shown = evidence_of_clips(evidence, decision)
            there = rendered_before(
                self.origin,
                before.video_id,
                clips_before,
                decision.clips,
                pictures=self.same_pictures,
                sound=self.same_sound,
            )
            clips = render_clips(info, shown, settings=self.settings.rendering, speech=speech, before=there)
        curated = CuratedVideo(
            info=info,
            evidence=evidence,
            decision=decision,
            clips=clips,
            analyze_s=0.0,
            decide_s=decide_s,
            render_s=time.perf_counter() - started,
        )
        record = write_video_files(VideoFiles(self.target, video), curated, self.settings)
        kept = {
            "sync_model": before.sync_model,
            "speaking_model": before.speaking_model,
            "duplicate_group": before.duplicate_group,
            "generated_tags": before.generated_tags,
        }
        return record.model_copy(update=kept)


def _heard_as_before(info: VideoInfo, before: VideoRecord) -> VideoInfo:
    """Return a video with the audio track to be heard that was measured."""
    return info if before.audio_track is None else heard_by_number(info, before.audio_track)
