"""Run of the curation: find videos, check the prerequisites, curate, and write the dataset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from curation.decision.trial import require_usable
from curation.engine.execution import Executor, RunWatcher
from curation.operations.left_to_do import completed, lacking, lacking_ticks, left_to_do
from curation.operations.work import curate_videos
from curation.output.complete_videos import complete_videos
from curation.output.curated_video import landmarks_of
from curation.output.disk_space import require_disk_space
from curation.output.folder import DatasetFolder
from curation.output.known_videos import (
    current,
    earlier,
    earlier_copies,
    known_files,
    moved_to,
    under_known_ids,
    with_same_labels,
)
from curation.output.ledger import VideoRecord
from curation.output.removals import accepted_consent, consenting_again, newly_excluded, without_removed
from curation.output.sole_writer import sole_writer_of_new
from curation.rules.rule import Rule
from curation.settings import CurationSettings, SettingsOfLayout, layout_notes
from curation.sources.discover import Discovery, discover
from curation.sources.entries import SourceVideo
from curation.sources.exclusions import NOBODY, Exclusions, require_speakers, unused
from curation.sources.layouts import LayoutChoice
from curation.sources.scratch import require_scratch
from foundation.signals import CtrlC
from foundation.storage.locations import location
from foundation.text import count_text
from manifests.dataset import Dataset
from manifests.vocabulary import FAILED_STATUSES

__all__ = ["RunReport", "run"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunReport:
    """Outcome of a run."""

    dataset: Dataset
    """The dataset, open for reading."""
    records: tuple[VideoRecord, ...]
    """One per file, ordered by path; without files that were not begun because the user ended the run."""
    curated: tuple[VideoRecord, ...]
    """Records of the videos that this run decoded, in the order in which they were done."""
    left: int
    """Videos that are left to do because the user ended the run."""
    already_done: int
    """Videos that an earlier run of the same dataset had done."""
    discovery: Discovery
    """Files found in the source, and the layout in which they were read."""
    notes: tuple[str, ...] = ()
    """Sentences for the user about files that were left out."""

    @property
    def excluded(self) -> int:
        """Number of files that the lists of people and videos leave out."""
        return sum(record.error_code == "excluded" for record in self.records)

    @property
    def without_consent(self) -> int:
        """Number of files that were left out because no consent is recorded."""
        return sum(record.error_code == "no_consent" for record in self.records)

    @property
    def failed(self) -> tuple[VideoRecord, ...]:
        """Records of the videos that could not be curated."""
        return tuple(record for record in self.records if record.status in FAILED_STATUSES)


def run(
    source: str | Path,
    dataset: str | Path,
    settings: CurationSettings | SettingsOfLayout,
    executor: Executor | None = None,
    *,
    workers: int = 1,
    layout: LayoutChoice = "auto",
    exclusions: Exclusions = NOBODY,
    limit: int | None = None,
    rules: Sequence[Rule] = (),
    watcher: RunWatcher | None = None,
    ctrl_c: CtrlC | None = None,
    wait: bool = False,
) -> RunReport:
    """Curate the videos of `source` into `dataset`; results of earlier runs are kept.

    Videos of the dataset that `source` does not name stay in it. A file whose content was replaced is another video:
    the rows of the old content are removed. A video whose speaker or stretches have changed is curated again, and
    where `analysis.every_tick` is true, so is one of which some ticks were not measured. What lists name is left out
    for good, and removed where an earlier run kept it; so is what `forget` removed.

    Args:
        source: a folder, file, glob pattern or list, local or an address.
        dataset: folder to write; a new one, or one that was made with the same settings.
        settings: what to keep and how, or a function that returns it for the layout of the source.
        executor: where the work is done; None: in this process with one worker, on Ray with more.
        workers: number of workers, where `executor` is None.
        layout: of the folder; `auto`: recognised by the names of its files.
        exclusions: people and videos to leave out.
        limit: look at this many of the files at most, the first by path.
        rules: rules of the user's own, applied before `sync` in this order.
        watcher: is informed of the progress.
        ctrl_c: ends the run early; what is done by then is a complete dataset.
        wait: wait while another command writes to the dataset; otherwise such a command is an error.

    Raises:
        SourceError: there are no videos, a list or annotation is wrong, or lists name speakers and no video has a
            speaker id.
        DatasetFolderError: `dataset` holds other files, or was made with other settings or another layout.
        OtherRulesError: `dataset` was made with other rules of the user's own.
        RuleError: one of `rules` cannot be used, or raised on a video.
        MissingAssetsError: weights are missing and cannot be fetched.
        LedgerError: a record of the earlier run is damaged.
        LeaseHeldError: another command writes to it, and `wait` is false.
        LeaseLostError: this process was stopped for so long that another command has begun.
        NoDiskSpaceError: the disk cannot hold the dataset.
        StorageError: an address cannot be reached.
        RayUnavailableError: no cluster could be reached.
        OSError: the dataset cannot be written.
        KeyboardInterrupt: the user ended it at once; the same call resumes it.
    """
    executor = executor or Executor.of_workers(workers)
    # without a layout first: a wrong setting or rule is found before a large folder is listed
    before = settings if isinstance(settings, CurationSettings) else settings(None)
    require_usable(rules, landmarks_of(before))
    told = None if watcher is None else watcher.reading
    with sole_writer_of_new(dataset, "gaia-curate run", wait=wait):
        discovery = discover(str(source), layout, limit=limit, known=known_files(location(dataset)), told=told)
        settings = before if isinstance(settings, CurationSettings) else settings(discovery.layout)
        require_speakers(discovery.videos, exclusions)
        named = str(source), discovery.layout
        folder = DatasetFolder.begin(dataset, settings, source=named, exclusions=exclusions.lists, rules=rules)
        listed = _Listed(folder=folder, settings=settings, discovery=discovery, exclusions=exclusions)
        report = _curated(listed, executor, watcher, ctrl_c)
        without_use = () if limit else unused(discovery.videos, exclusions)
        before_all = (*layout_notes(discovery.layout, settings), *discovery.notes, *without_use)
        return replace(report, notes=(*before_all, *report.notes))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Listed:
    """A dataset, and what it is to hold."""

    folder: DatasetFolder
    settings: CurationSettings
    discovery: Discovery
    exclusions: Exclusions


def _up_to_date(listed: _Listed) -> tuple[list[SourceVideo], dict[str, VideoRecord]]:
    """Return the videos of a run under the ids of the dataset, and the records of those that are done, by id."""
    folder = listed.folder
    done = {} if folder.is_new else folder.ledger()
    known = under_known_ids(listed.discovery.videos, done)
    for video_id in known.doubtful.union(consenting_again(known.videos, done)):
        folder.forget_video(video_id)
        del done[video_id]
    videos = without_removed(folder.record.removals, known.videos)
    consent = folder.settings.privacy.require_consent
    for record in newly_excluded(videos, listed.exclusions, done, require_consent=consent):
        folder.forget_video(record.video_id)
        folder.write(record)
        done[record.video_id] = record
    if not folder.is_new:
        same = with_same_labels(folder, videos, done)
        done = complete_videos(folder.path, same, folder.settings.storage)
    return videos, done


def _curated(listed: _Listed, executor: Executor, watcher: RunWatcher | None, ctrl_c: CtrlC | None) -> RunReport:
    """Curate what is left to do, and finish the dataset."""
    folder, perception = listed.folder, listed.settings.in_use.perception
    videos, done = _up_to_date(listed)
    coarse = frozenset() if folder.is_new else lacking_ticks(folder)
    todo, already_done = left_to_do(folder, videos, done, coarse)
    begun = lacking(todo, done, perception, coarse)
    require_disk_space(folder.path, todo)
    require_scratch(todo, executor.scratch)
    curated = tuple(
        curate_videos(
            folder,
            todo,
            executor,
            already_done=already_done,
            completes=bool(begun),
            watcher=watcher,
            ctrl_c=ctrl_c,
        )
    )
    done.update((record.video_id, record) for record in curated)
    completion = completed(folder, begun, curated, coarse)
    done.update((record.video_id, record) for record in (*completion.kept, *completion.unmeasured))
    records = tuple(current(video, done) for video in videos if video.video_id in done)
    moved = {} if folder.is_new else moved_to(folder, records, done)
    others = earlier(folder, videos, done)
    copies = () if folder.is_new else earlier_copies(folder, videos, (*records, *others), moved)
    finished = folder.finish(sorted((*records, *others, *copies), key=lambda record: record.path))
    return RunReport(
        dataset=finished,
        records=records,
        curated=tuple(record for record in curated if record.video_id not in begun or record in completion.measured),
        left=len(todo) - len(curated),
        already_done=already_done,
        discovery=listed.discovery,
        notes=(
            *_notes(len(listed.discovery.videos) - len(videos), moved),
            *completion.notes(perception),
            *folder.assignment.notes(),
            *_descriptor_notes(finished, listed.settings),
            *(accepted_consent(records) if folder.settings.privacy.require_consent else ()),
        ),
    )


def _notes(n_removed: int, moved: Mapping[str, str]) -> tuple[str, ...]:
    notes = []
    if n_removed:
        removed = count_text(n_removed, "file was", "files were")
        notes.append(f"{removed} left out, which `gaia-curate forget` removed from this dataset.")
    if moved:
        now, was = min(moved.items())
        videos = count_text(len(moved), "video has", "videos have")
        notes.append(f"{videos} moved: all tables name the paths of today, such as {now}, was {was}.")
    return tuple(notes)


def _descriptor_notes(dataset: Dataset, settings: CurationSettings) -> tuple[str, ...]:
    """Return a sentence where descriptors of faces are stored that are not to be kept."""
    if settings.privacy.keep_descriptors or not dataset.record.totals.descriptors:
        return ()
    return ("The dataset holds descriptors of faces until `gaia-curate identities` has been applied to it.",)
