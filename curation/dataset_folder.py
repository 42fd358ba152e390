"""The dataset's folder as a whole: opening one for a run, and the files that span all videos."""

import importlib.metadata
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from pydantic import ValidationError

from curation.config import CurationSettings, differences
from curation.ledger import VideoRecord
from curation.perception.model_set import identity_at_hand
from manifests.dataset import (
    DatasetRecord,
    Totals,
    WeightRecord,
    describe_tables,
    read_dataset,
    totals_of,
    write_dataset,
)
from manifests.files import write_parquet
from manifests.outcomes import TIERS
from manifests.schema import SCHEMA_VERSION, VIDEOS

__all__ = ["DatasetFolderError", "finish_dataset", "forget_video", "open_dataset", "recorded_settings", "settled"]

DISTRIBUTION = "gaia-avatar"


class DatasetFolderError(ValueError):
    """The folder cannot become, or go on as, the dataset of this run."""


def open_dataset(dataset: Path, settings: CurationSettings, weights: Sequence[WeightRecord]) -> None:
    """Make `dataset` a new dataset of these settings and weights, or check that it is one already.

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
        changed = differences(settings, recorded_settings(dataset))
        if changed:
            raise DatasetFolderError(
                f"{dataset} was made with other settings: {'; '.join(changed)}. Give a new --out, the settings of "
                "before, or apply new rules to it with `gaia-curate decide`"
            )
        _refuse_other_weights(dataset, weights)
        return
    if dataset.exists() and not dataset.is_dir():
        raise DatasetFolderError(f"--out {dataset} is a file; give a new folder")
    if dataset.is_dir() and any(dataset.iterdir()):
        raise DatasetFolderError(
            f"--out {dataset} holds files but no dataset.json: it is no dataset; give a new folder"
        )
    empty = Totals(videos=0, failed=0, hours_raw=0.0, hours_kept=dict.fromkeys(TIERS, 0.0), clips=0)
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
    """Write the table `videos` and the totals: what is only known once every video is done.

    Raises:
        OSError: the dataset cannot be written.
    """
    table = pa.Table.from_pylist([record.model_dump() for record in records], schema=VIDEOS.arrow_schema())
    write_parquet(dataset / "videos" / "videos.parquet", table, VIDEOS)
    write_dataset(dataset, read_dataset(dataset).model_copy(update={"totals": totals_of(dataset)}))


def forget_video(dataset: Path, video_id: str) -> None:
    """Remove what a dataset holds of a video; the ledger's record last, so that a stopped removal is done again.

    Raises:
        OSError: a file cannot be removed.
    """
    for part in ("clips", "spans", "frames"):
        (dataset / part / f"{video_id}.parquet").unlink(missing_ok=True)
    (dataset / "media" / f"{video_id}.tar").unlink(missing_ok=True)
    (dataset / "ledger" / f"{video_id}.json").unlink(missing_ok=True)


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
