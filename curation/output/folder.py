"""The dataset's folder as a whole: opening one for a run, and the files that span all videos."""

import hashlib
import importlib.metadata
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
from pydantic import ValidationError

from curation.output.ledger import VideoRecord
from curation.output.window_files import remove_windows
from curation.perception.models import identity_at_hand
from curation.settings import CurationSettings, differences
from curation.sources.layouts import LayoutName
from foundation.errors import UsageError
from foundation.packages import DISTRIBUTION
from foundation.storage.locations import is_address
from manifests.files.journal import finish_swap
from manifests.files.tables import write_parquet
from manifests.packing.pack import compact
from manifests.packing.packed_files import stored_videos
from manifests.record import (
    DatasetRecord,
    SourceLayout,
    Totals,
    WeightRecord,
    describe_tables,
    read_dataset,
    totals_of,
    write_dataset,
)
from manifests.schema.clips import CLIPS
from manifests.schema.columns import SCHEMA_VERSION
from manifests.schema.frames import FRAMES
from manifests.schema.videos import SPANS, VIDEOS
from manifests.vocabulary import TIERS

__all__ = [
    "DatasetFolderError",
    "finish_dataset",
    "forget_video",
    "keep_layout",
    "open_dataset",
    "reconciled",
    "recorded_settings",
    "require_same_layout",
    "settled",
]

_STORAGE = "storage."
"""Settings that do not change what a dataset holds."""


class DatasetFolderError(UsageError):
    """The folder cannot become, or go on as, the dataset of this run."""


def open_dataset(dataset: Path, settings: CurationSettings, weights: Sequence[WeightRecord]) -> None:
    """Make `dataset` a new dataset of these settings and weights, or check that it is one already.

    How large its files are may change; what a stopped writer left half done is done here.

    Raises:
        DatasetFolderError: the folder holds something else, or a dataset of other settings or weights, which the
            message lists.
        DatasetError: its dataset.json is damaged, or of another version.
        OSError: it cannot be written.
    """
    if any("\udc80" <= letter <= "\udcff" for letter in str(dataset)):
        raise DatasetFolderError(
            f"--out {dataset}: the name is no valid UTF-8, and Parquet readers cannot open such files"
        )
    if (dataset / "dataset.json").exists():
        before = recorded_settings(dataset)
        changed = [line for line in differences(settings, before) if not line.startswith(_STORAGE)]
        if changed:
            raise DatasetFolderError(
                f"{dataset} was made with other settings: {'; '.join(changed)}. Give a new --out, the settings of "
                "before, or apply new rules to it with `gaia-curate decide`"
            )
        _refuse_other_weights(dataset, weights)
        finish_swap(dataset)
        if settings != before:  # in how it is stored: `finish_dataset` packs it so
            config = settings.model_dump(mode="json")
            write_dataset(dataset, read_dataset(dataset).model_copy(update={"config": config}))
        return
    if dataset.exists() and not dataset.is_dir():
        raise DatasetFolderError(f"--out {dataset} is a file; give a new folder")
    if dataset.is_dir() and any(dataset.iterdir()):
        raise DatasetFolderError(
            f"--out {dataset} holds files but no dataset.json: it is no dataset; give a new folder"
        )
    empty = Totals(videos=0, failed=0, excluded=0, hours_raw=0.0, hours_kept=dict.fromkeys(TIERS, 0.0), clips=0)
    _write_record(dataset, settings, weights, empty)


def settled(settings: CurationSettings, dataset: Path) -> CurationSettings:
    """Return the settings with `perception.identity` decided where it is `auto`.

    A dataset that has been begun keeps to what it has; a new one takes what is on this machine.

    Raises:
        DatasetError: `dataset` has a dataset.json that is damaged, or of another version.
        DatasetFolderError: its settings are not those of this version.
        WrongAssetError: ArcFace's file is there and is another one.
    """
    perception = settings.perception
    if perception.identity != "auto":
        return settings
    begun = (dataset / "dataset.json").exists()
    identity = recorded_settings(dataset).perception.identity if begun else identity_at_hand(perception)
    return settings.model_copy(update={"perception": perception.model_copy(update={"identity": identity})})


def recorded_settings(dataset: Path) -> CurationSettings:
    """Return the settings that a dataset was made with.

    Raises:
        DatasetError: `dataset` is no dataset.
        DatasetFolderError: its settings are not those of this version.
    """
    record = read_dataset(dataset)
    try:
        return CurationSettings.model_validate(record.config)
    except ValidationError as error:
        raise DatasetFolderError(
            f"{dataset} was made by {record.software} {record.software_version}, whose settings this version does not "
            f"know ({error.error_count()} differ); go on with that version, or give a new --out"
        ) from error


def finish_dataset(dataset: Path, records: Sequence[VideoRecord]) -> None:
    """Pack the parts, write the table `videos` and the totals: what is only known once every video is done.

    Of the other tables and the media, only what belongs to a video that is `ok` in `records` stays.

    Raises:
        DatasetError: a file is damaged.
        OSError: the dataset cannot be written.
    """
    remove_windows(dataset, {record.video_id for record in records})  # of units in flight when their video ended
    compact(dataset, _curated(records), recorded_settings(dataset).storage)
    table = pa.Table.from_pylist([record.model_dump() for record in records], schema=VIDEOS.arrow_schema())
    write_parquet(dataset / "videos" / "videos.parquet", table, VIDEOS)
    write_dataset(dataset, read_dataset(dataset).model_copy(update={"totals": totals_of(dataset)}))


def reconciled(dataset: Path, records: Mapping[str, VideoRecord]) -> dict[str, VideoRecord]:
    """Return the records whose rows are there, after the rows that have no record were removed from packed files.

    To remove a video's record, or a damaged file, is how a user has videos curated again.

    Raises:
        DatasetError: a file is damaged.
        OSError: the dataset cannot be written.
    """
    frames, spans, clips = (stored_videos(dataset, table) for table in (FRAMES, SPANS, CLIPS))
    whole = {
        video_id: record
        for video_id, record in records.items()
        if not (record.status == "ok" and record.duration_s)
        or (video_id in frames and video_id in spans and (not record.n_clips or video_id in clips))
    }
    live = _curated(whole.values())
    if any(video_id not in live for table in (frames, spans, clips) for video_id, packed in table.items() if packed):
        compact(dataset, live, recorded_settings(dataset).storage)
    return whole


def forget_video(dataset: Path, video_id: str) -> None:
    """Remove a video's own files; the ledger's record last, so that a stopped removal is done again.

    What of it is packed with others goes in the next `finish_dataset`.

    Raises:
        OSError: a file cannot be removed.
    """
    remove_windows(dataset, {video_id})
    for part in ("clips", "spans", "frames"):
        (dataset / part / f"{video_id}.parquet").unlink(missing_ok=True)
    (dataset / "media" / f"{video_id}.tar").unlink(missing_ok=True)
    (dataset / "ledger" / f"{video_id}.json").unlink(missing_ok=True)


def _curated(records: Iterable[VideoRecord]) -> set[str]:
    """Return the ids of the videos whose rows belong to the dataset."""
    return {record.video_id for record in records if record.status == "ok" and record.duplicate_of is None}


def _refuse_other_weights(dataset: Path, weights: Sequence[WeightRecord]) -> None:
    """Stop a run from going on with models that are not those of before, such as after an update of a package."""
    before = {weight.name: weight.sha256 for weight in read_dataset(dataset).weights}
    now = {weight.name: weight.sha256 for weight in weights}
    if now != before:
        differing = [name for name in {**before, **now} if before.get(name) != now.get(name)]
        raise DatasetFolderError(
            f"{dataset} was made with other weights: {', '.join(differing)} differ. Go on with the packages and files "
            "of before, or give a new --out"
        )


def _write_record(dataset: Path, settings: CurationSettings, weights: Sequence[WeightRecord], totals: Totals) -> None:
    write_dataset(
        dataset,
        DatasetRecord(
            schema_version=SCHEMA_VERSION,
            software=DISTRIBUTION,
            software_version=importlib.metadata.version(DISTRIBUTION),
            preset=settings.preset,
            config=settings.model_dump(mode="json"),
            weights=tuple(weights),
            tables=describe_tables(),
            totals=totals,
        ),
    )


def keep_layout(dataset: Path, source: str, layout: LayoutName | None) -> None:
    """Note down how a folder is read.

    Args:
        dataset: the dataset.
        source: as it was given to the run.
        layout: of the folder; None where `source` is none.

    Raises:
        DatasetFolderError: an earlier run read the folder in another way.
        OSError: the dataset cannot be written.
    """
    if layout is None or require_same_layout(dataset, source, layout):
        return
    record = read_dataset(dataset)
    new = SourceLayout(folder_sha256=_digest(source), layout=layout)
    write_dataset(dataset, record.model_copy(update={"layouts": (*record.layouts, new)}))


def require_same_layout(dataset: Path, source: str, layout: LayoutName) -> bool:
    """Return whether an earlier run of a dataset has read this folder.

    Raises:
        DatasetFolderError: it read the folder in another way: other speakers, other stretches.
    """
    digest = _digest(source)
    before = [told.layout for told in read_dataset(dataset).layouts if told.folder_sha256 == digest]
    if before and layout not in before:
        raise DatasetFolderError(
            f"{dataset} was made with other settings: layout of {source}: {layout}, was {before[0]}. Give "
            f"--layout {before[0]}, or a new --out"
        )
    return bool(before)


def _digest(source: str) -> str:
    place = source.rstrip("/") if is_address(source) else str(Path(source).absolute())
    return hashlib.sha256(os.fsencode(place)).hexdigest()
