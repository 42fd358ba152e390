"""Another attempt at videos that failed or were quarantined, with the dataset's own settings."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from curation.decision.trial import require_usable
from curation.engine.execution import Executor
from curation.engine.watch import RunWatcher, attended
from curation.engine.worker import WorkerPlan
from curation.output.folder import finish_dataset, forget_video, open_dataset, recorded_settings
from curation.output.ledger import VideoRecord, read_ledger
from curation.output.video_files import landmarks_of
from curation.output.weights_used import needed_assets, perception_weights, speech_weights
from curation.rules.rule import Rule
from curation.sources.discover import listed_again
from curation.sources.entries import SourceError, SourceVideo
from foundation.signals import CtrlC
from foundation.storage.path_text import path_of_text
from foundation.weights import ensure_assets
from manifests.files.tables import read_table
from manifests.vocabulary import ERROR_CODES, FAILED_STATUSES, ErrorCode

__all__ = ["error_codes", "retry"]


def retry(
    dataset: Path,
    executor: Executor,
    *,
    codes: Sequence[ErrorCode] = (),
    videos: Sequence[str] = (),
    rules: Sequence[Rule] = (),
    watcher: RunWatcher | None = None,
    ctrl_c: CtrlC | None = None,
) -> tuple[VideoRecord, ...]:
    """Curate videos again that are not ok, and return their new records by path.

    Args:
        dataset: made by `run`.
        executor: where the work is done.
        codes: only those that failed with one of these; none: with any.
        videos: only those with these ids, names or paths; none: all.
        rules: rules of the user's own, as the dataset was made with them.
        watcher: is told how it goes.
        ctrl_c: ends it early; videos that were not tried keep their records.

    Raises:
        SourceError: there is nothing to retry, or a file is gone or has other content now.
        DatasetError: `dataset` is no dataset.
        DatasetFolderError: packages or weights have changed since.
        OtherRulesError: `rules` are not those that the dataset was made with.
        RuleError: one of `rules` cannot be used, or raised on a video.
        MissingAssetsError: weights are missing and cannot be fetched.
        RayUnavailableError: no cluster could be reached.
        OSError: the dataset cannot be written.
        KeyboardInterrupt: the user wants it to end at once; the same call goes on later.
    """
    settings = recorded_settings(dataset)
    require_usable(rules, landmarks_of(settings))
    records = [VideoRecord.model_validate(row) for row in read_table(dataset, "videos").to_pylist()]
    chosen = [record for record in records if _is_meant(record, codes, videos)]
    if not chosen:
        narrowed = " that is asked for" if codes or videos else ""
        raise SourceError(f"{dataset}: no video{narrowed} has failed or is quarantined; nothing to retry")
    sources = [_source_of(record) for record in chosen]
    ensure_assets(needed_assets(settings))
    weights = (*perception_weights(settings.perception), *speech_weights(settings.speech))
    open_dataset(dataset, settings, weights, rules)
    for record in chosen:
        forget_video(dataset, record.video_id)
    plan = WorkerPlan(settings=settings, dataset=dataset, scratch=executor.scratch, rules=tuple(rules))
    curate = partial(executor.curate, plan, sources)
    for _ in attended(curate, dataset, sources, watcher=watcher, ctrl_c=ctrl_c):
        pass  # their records are in the ledger
    ledger = read_ledger(dataset)
    now = [record if record.duplicate_of else ledger.get(record.video_id, record) for record in records]
    finish_dataset(dataset, now)
    asked = {record.video_id for record in chosen}
    return tuple(record for record in now if record.video_id in asked and not record.duplicate_of)


def error_codes(names: Sequence[str]) -> tuple[ErrorCode, ...]:
    """Return names as error codes.

    Raises:
        SourceError: there is no such code; the message lists those that there are.
    """
    codes = tuple(code for code in ERROR_CODES if code in names)
    unknown = sorted(set(names) - set(codes))
    if unknown:
        raise SourceError(f"--code {', '.join(unknown)}: unknown; known are {', '.join(ERROR_CODES)}")
    return codes


def _is_meant(record: VideoRecord, codes: Sequence[ErrorCode], videos: Sequence[str]) -> bool:
    names = {record.video_id, record.path, path_of_text(record.path).name}
    return (
        (record.status in FAILED_STATUSES or (record.status == "excluded" and "excluded" in codes))
        and record.duplicate_of is None
        and (not codes or record.error_code in codes)
        and (not videos or not names.isdisjoint(videos))
    )


def _source_of(record: VideoRecord) -> SourceVideo:
    path = path_of_text(record.path)
    try:
        video = listed_again(record.listing())
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}; nothing was retried") from error
    if video is None:
        raise SourceError(f"{path} has other content than before: `gaia-curate run` takes it as the new video it is")
    return video
