"""A dataset from a stranger on a store: no name in it leads to another object."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.received_datasets import RECEIVED, make_received
from helpers.store_server import StoreServer

from curation.operations.forget import forget
from foundation.errors import UsageError
from foundation.storage.atomic import write_bytes_atomic
from foundation.storage.locations import read_all
from foundation.storage.regular_files import FileTooLargeError, read_small
from manifests.files.media import MediaError
from manifests.files.tar import MemberRange, read_member
from manifests.packing.stated import refused_files

FIRST = RECEIVED[0]


@pytest.fixture
def place(bucket: Path) -> Path:
    make_received(bucket / "dataset")
    write_bytes_atomic(bucket / "outside" / f"{FIRST}.json", b"mine")
    return bucket


def _journal(dataset: Path) -> None:
    content = {"come": {}, "gone": [f"../outside/{FIRST}.json"]}
    write_bytes_atomic(dataset / ".swap.json", json.dumps(content).encode())


def _record(dataset: Path) -> None:
    path = dataset / "ledger" / f"{FIRST}.json"
    content = json.loads(path.read_bytes()) | {"video_id": f"../../outside/{FIRST}"}
    write_bytes_atomic(path, json.dumps(content).encode())


def _empty_record(dataset: Path) -> None:
    write_bytes_atomic(dataset / "ledger" / f"{FIRST}.json", b"")


@pytest.mark.parametrize(
    ("spoil", "expected"), [(_journal, "outside"), (_record, "video_id"), (_empty_record, "EOF while parsing")]
)
def test_a_name_that_leads_to_another_object_is_refused_before_anything_is_changed(
    place: Path, spoil: Callable[[Path], None], expected: str
) -> None:
    spoil(place / "dataset")
    before = sorted(str(path) for path in place.rglob("*"))
    with pytest.raises(UsageError, match=expected):
        forget(place / "dataset", speaker="0")
    assert sorted(str(path) for path in place.rglob("*")) == before
    assert (place / "outside" / f"{FIRST}.json").read_bytes() == b"mine"
    assert expected in str([*refused_files(place / "dataset")])


@pytest.mark.parametrize("media", [f"../outside/{FIRST}.json", "s3://other/x.tar", "/other/x.tar", "media/../x.tar"])
def test_media_that_name_another_object_are_not_fetched(place: Path, media: str) -> None:
    with pytest.raises(MediaError, match="lies outside the dataset"):
        read_member(place / "dataset", media, MemberRange(offset=0, size=1))


def test_an_object_is_read_up_to_its_limit(bucket: Path) -> None:
    for name, content in (("a", b"12345"), ("b", b""), ("c", b"123456")):
        write_bytes_atomic(bucket / name, content)
    assert read_small(bucket / "a", 5) == b"12345"
    assert list(read_all([bucket / "a", bucket / "b"], 5)) == [b"12345", b""]
    for reading in (lambda: read_small(bucket / "c", 5), lambda: list(read_all([bucket / "a", bucket / "c"], 5))):
        with pytest.raises(FileTooLargeError, match="larger than 5 bytes"):
            reading()
    with pytest.raises(FileNotFoundError):
        read_small(bucket / "gone", 5)
    with pytest.raises(FileNotFoundError):
        list(read_all([bucket / "gone"], 5))


def test_a_small_object_is_read_or_missed_in_one_request(bucket: Path, s3: StoreServer) -> None:
    write_bytes_atomic(bucket / "a", b"12345")
    write_bytes_atomic(bucket / "empty", b"")
    s3.requests.clear()
    assert read_small(bucket / "a", 5) == b"12345"
    with pytest.raises(FileNotFoundError):
        read_small(bucket / "gone", 5)
    assert [method for method, _ in s3.requests] == ["GET", "GET"]
    assert read_small(bucket / "empty", 5) == b""
