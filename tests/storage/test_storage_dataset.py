"""`Dataset` on an address: what it gives of the same dataset on a disk."""

from pathlib import Path

import numpy as np
import pytest
from helpers.review_pages import data_of
from helpers.store_server import StoreServer

from curation.review.build import write_report
from manifests import Dataset, DatasetError


def test_tables_and_clips_are_those_of_the_local_dataset(copied: Path, curated_sample: Path) -> None:
    data, local = Dataset(str(copied)), Dataset(curated_sample)
    assert repr(data) == repr(local).replace(str(curated_sample), str(copied))
    assert data.clips(columns="all").equals(local.clips(columns="all"))
    assert data.frames("talking_astronaut.mp4").equals(local.frames("talking_astronaut.mp4"))
    assert data.query("SELECT count(*) FROM spans").rows == local.query("SELECT count(*) FROM spans").rows
    clip, same = data.clip(0), local.clip(0)
    assert np.array_equal(clip.frames([0, 20]), same.frames([0, 20]))
    assert clip.flac() == same.flac()
    assert np.array_equal(clip.landmarks(), same.landmarks())


def test_a_clip_fetches_its_own_bytes_only(copied: Path, s3: StoreServer) -> None:
    clip = Dataset(str(copied)).clip(0)
    s3.sent_bytes = 0
    content = clip.mp4()
    assert len(content) == clip.row["mp4_size"]
    assert s3.sent_bytes == len(content)


def test_an_address_without_a_dataset_is_refused(copied: Path) -> None:
    with pytest.raises(DatasetError, match="is no dataset"):
        Dataset(f"{copied}/clips")


def test_a_report_of_a_dataset_in_a_store_shows_its_clips(copied: Path, tmp_path: Path) -> None:
    data = data_of(write_report(str(copied), tmp_path / "report.html", media="embed").path)
    assert data["dataset"] == "talks"
    assert [card["media"].startswith("data:video/mp4;base64,") for card in data["clips"]] == [True] * data["n_clips"]
    assert data["n_clips"] > 0
