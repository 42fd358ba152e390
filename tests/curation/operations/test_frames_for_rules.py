"""Rows of chosen videos: no more is opened, read and held than these ask for."""

from collections.abc import Callable
from pathlib import Path

import pytest

from curation.decision.decide import decide
from curation.decision.settings import RulesSettings
from curation.evidence.measures import Evidence
from curation.operations.read_evidence import frames_for_rules
from curation.output.frame_rows import frames_table
from manifests.files.tables import write_parquet
from manifests.landmarks import landmark_scheme
from manifests.packing.pack import StorageSettings, compact
from manifests.packing.packed_files import table_inventory
from manifests.schema.frames import FRAMES

IDS = [f"{number:x}{'0' * 15}" for number in range(16)]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory, make_evidence: Callable[..., Evidence]) -> Path:
    """Sixteen videos of 10 ticks in packed files of two and more."""
    folder = tmp_path_factory.mktemp("frames") / "dataset"
    evidence = make_evidence(10)
    decision = decide(evidence, RulesSettings())
    for video_id in IDS:
        rows = frames_table(video_id, evidence, decision, landmark_scheme("mediapipe478"))
        write_parquet(folder / "frames" / f"{video_id}.parquet", rows, FRAMES)
    rows_bytes = [size for file in table_inventory(folder, FRAMES) for size, _ in file.facts.videos.values()]
    compact(folder, IDS, StorageSettings(part_mb=sum(rows_bytes) / 5e6))
    return folder


def _open_files(folder: Path) -> list[str]:
    """Names of the files of a folder that this process holds open."""
    held = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            place = descriptor.readlink()
        except OSError:  # that of the listing itself
            continue
        if place.parent == folder:
            held.append(place.name)
    return held


def test_a_file_is_left_with_the_last_of_the_videos_that_are_asked_for(dataset: Path) -> None:
    assert len(list((dataset / "frames").iterdir())) > 4
    held = []
    for table in frames_for_rules(dataset, [IDS[0], IDS[6], IDS[15]], all_measures=False):
        assert len(table) == 10
        held.append(len(_open_files(dataset / "frames")))
    assert max(held) <= 1, "others of these files were not asked for"


def test_landmarks_are_read_for_rules_of_the_users_own_alone(dataset: Path) -> None:
    (built_in,) = frames_for_rules(dataset, IDS[:1], all_measures=False)
    (all_of_them,) = frames_for_rules(dataset, IDS[:1], all_measures=True)
    assert built_in.schema.equals(all_of_them.schema)
    assert built_in["landmarks"].null_count == 10
    assert all_of_them["landmarks"].null_count == 0
    assert built_in["key_points"].equals(all_of_them["key_points"])


def test_of_a_video_that_is_gone_there_is_no_row(dataset: Path) -> None:
    (gone,) = frames_for_rules(dataset, ["f" * 16], all_measures=False)
    assert len(gone) == 0
