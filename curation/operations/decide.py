"""Other rules on the evidence of a dataset: no perception model runs; videos are decoded only to render clips."""

import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from curation.decision.decide import decide
from curation.media.probe import probe
from curation.output.folder import DatasetFolderError, finish_dataset, open_dataset, recorded_settings
from curation.output.frame_rows import evidence_of_frames
from curation.output.ledger import VideoRecord, write_record
from curation.output.video_files import CuratedVideo, kept_seconds, write_decision, write_parts, write_spans
from curation.output.weights_used import speech_weights
from curation.rendering.render import render_clips, shown_clips
from curation.settings import ConfigError, CurationSettings, differences, load_settings
from curation.sources.discover import listed_again
from curation.sources.entries import SourceVideo
from curation.sources.scratch import ScratchSettings, readable
from curation.speech.models import SpeechModels, load_speech, speech_assets
from foundation.storage.path_text import path_of_text
from foundation.weights import ensure_assets
from manifests.errors import DatasetError
from manifests.files.tables import read_table, write_parquet
from manifests.packing.pack import compact
from manifests.packing.packed_files import part_files, sources_of
from manifests.packing.rows import VideoRows
from manifests.record import read_dataset, write_dataset
from manifests.schema.frames import FRAMES
from manifests.timeline import TICK_RATE_HZ
from manifests.vocabulary import TIERS

__all__ = ["redecide"]

_TRACKING = ("rules.tracks.", "rules.no_face.", "rules.cut.", "rules.several_faces.min_score")
"""Settings that choose the main face: only they change the table `frames`."""

_MEASURED = ("preset", "perception.")
"""Settings that the evidence depends on: to change them is to measure again."""


def redecide(
    dataset: Path,
    out: Path,
    config: Path | None,
    overrides: Sequence[str],
    *,
    render: bool,
    scratch: ScratchSettings | None = None,
) -> None:
    """Decide every video of `dataset` anew, with its own settings as changed by a file and by overrides, into `out`.

    Args:
        dataset: a dataset whose run has ended.
        out: a new folder, or one that the same call has begun.
        config: YAML file of settings.
        overrides: ``dotted.name=value``.
        render: also cut the clips out of the source videos, which must lie where they lay.
        scratch: where remote sources are copied to.

    Raises:
        ConfigError: a wrong setting, or one that needs measuring anew.
        DatasetError: `dataset` is no dataset.
        DatasetFolderError: `out` holds something else.
        MissingAssetsError: weights that rendering needs are missing.
        OSError: a file cannot be read or written.
    """
    before = recorded_settings(dataset)
    if out.resolve() == dataset.resolve():
        raise DatasetFolderError(f"--out {out} is the dataset itself; give another folder")
    settings = load_settings(before, config, overrides)
    changed = differences(settings, before)
    measured = [line for line in changed if line.startswith(_MEASURED)]
    if measured:
        raise ConfigError(f"{'; '.join(measured)}: the evidence was measured otherwise; `gaia-curate run` anew")
    weights = read_dataset(dataset).weights
    if render:
        ensure_assets(speech_assets(settings.speech))
        weights = (*(weight for weight in weights if weight.role == "perception"), *speech_weights(settings.speech))
    open_dataset(out, settings, weights)
    told = read_dataset(dataset)
    same = {"exclusions": told.exclusions, "layouts": told.layouts, "removals": told.removals}
    write_dataset(out, read_dataset(out).model_copy(update=same))
    same_frames = not any(line.startswith(_TRACKING) for line in changed)
    compact(out, (), settings.storage)  # what the same call has packed before is decided again
    speech = load_speech(settings.speech) if render else None
    records = []
    with VideoRows(FRAMES, sources_of(part_files(dataset, FRAMES))) as measured_rows:
        for row in read_table(dataset, "videos").to_pylist():
            record = VideoRecord.model_validate(row)
            if record.status == "ok" and record.duplicate_of is None:
                frames = measured_rows.table_of(record.video_id)
                if record.duration_s and not len(frames):
                    raise DatasetError(f"{dataset}: the evidence of {record.path} is gone; run the curation again")
                record = _decided(
                    *(frames, out, record, settings, speech),
                    same_frames=same_frames,
                    scratch=scratch or ScratchSettings(),
                )
            if speech is not None and record.duplicate_of is None:  # a copy has the id of its original
                write_record(out, record)
            records.append(record)
    finish_dataset(out, records)


def _decided(
    frames: pa.Table,
    out: Path,
    record: VideoRecord,
    settings: CurationSettings,
    speech: SpeechModels | None,
    *,
    same_frames: bool,
    scratch: ScratchSettings,
) -> VideoRecord:
    started = time.perf_counter()
    evidence = evidence_of_frames(frames, round((record.duration_s or 0.0) * TICK_RATE_HZ))
    max_distance = settings.rules.tracks.max_distance(settings.perception.identity)
    decision = decide(evidence, settings.rules, max_distance=max_distance)
    decide_s = time.perf_counter() - started
    if speech is None:
        if same_frames:
            write_parquet(out / FRAMES.name / f"{record.video_id}.parquet", frames, FRAMES)
            write_spans(out, record.video_id, decision, len(evidence))
        else:
            write_decision(out, record.video_id, evidence, decision, settings)
        kept = {f"kept_{tier}_s": kept_seconds(decision, tier) for tier in TIERS}
        return record.model_copy(update=kept | {"n_clips": 0, "analyze_s": 0.0, "decide_s": decide_s, "render_s": 0.0})
    video = _source_of(record)
    with readable(video, scratch) as path:
        info = probe(path)
        clips = render_clips(info, shown_clips(evidence, decision), settings=settings.rendering, speech=speech)
    curated = CuratedVideo(
        video=video,
        info=info,
        evidence=evidence,
        decision=decision,
        clips=clips,
        analyze_s=0.0,
        decide_s=decide_s,
        render_s=time.perf_counter() - started - decide_s,
    )
    return write_parts(out, curated, settings)


def _source_of(record: VideoRecord) -> SourceVideo:
    """Return the file that a record is about, if it still lies there unchanged."""
    path = path_of_text(record.path)
    try:
        video = listed_again(record.listing())
    except FileNotFoundError:
        video = None
    if video is None:
        raise DatasetFolderError(f"{path} is not there any more, or has other content: its clips cannot be rendered")
    return video
