"""`privacy.keep_descriptors`: what a dataset holds after each command, and what is decided without descriptors."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from helpers.made_evidence import part
from helpers.made_parts import table_of
from helpers.made_videos import SmallRun

from curation.decision.decide import decide
from curation.decision.settings import RulesSettings
from curation.engine.execution import Executor
from curation.evidence.joining import with_audio
from curation.evidence.measures import Evidence
from curation.identities.table_rows import with_earlier
from curation.operations.decide import redecide
from curation.operations.identities import find_identities
from curation.operations.run import run
from curation.output.curated_video import write_decision
from curation.output.folder import DatasetFolderError
from curation.output.frame_rows import evidence_of_frames, frames_table
from curation.output.long_video import write_decided
from curation.output.video_files import VideoFiles
from curation.output.window_files import read_windows, write_window
from curation.settings import CurationSettings, SettingsError, load_settings
from curation.sources.entries import SourceVideo
from foundation.storage.arrow import read_parquet
from manifests.errors import DatasetError
from manifests.files.descriptor_columns import file_holds_descriptors, holds_descriptors, without_descriptors
from manifests.files.tables import read_table
from manifests.landmarks import landmark_scheme
from manifests.packing.drop_descriptors import drop_descriptors
from manifests.packing.identity_rows import write_identities
from manifests.record import read_dataset, write_dataset
from manifests.reports.validate import validate
from manifests.schema.frames import FRAMES
from manifests.timeline import Window

NONE_STORED = load_settings(
    CurationSettings(), None, ["privacy.keep_descriptors=false", "privacy.descriptors_until=run"]
)
UNTIL_RECOGNISED = load_settings(CurationSettings(), None, ["privacy.keep_descriptors=false"])
VIDEO = SourceVideo(path=Path("a.mp4"), video_id="00ff00ff00ff00ff", source="made", speaker_id=None, size_bytes=1)
SCHEME = landmark_scheme("ibug68")

Make = Callable[..., Evidence]


@pytest.fixture
def two_in_one_place(make_evidence: Make) -> Evidence:
    """Another person stands where the first stood from tick 60 on, which the descriptors of ticks 75 and 100 tell."""
    evidence = make_evidence(125)
    descriptor = evidence.faces.descriptor.copy()
    descriptor[75] = descriptor[100] = 0.3
    box = evidence.faces.box_px.copy()
    box[60:] += 15.0
    return dataclasses.replace(evidence, faces=dataclasses.replace(evidence.faces, descriptor=descriptor, box_px=box))


def test_people_are_told_apart_as_before_where_descriptors_are_gone(two_in_one_place: Evidence) -> None:
    rules = RulesSettings()
    before = decide(two_in_one_place, rules)
    assert before.track.tolist() == [0] * 60 + [1] * 65
    rows = without_descriptors(frames_table("00ff00ff00ff00ff", two_in_one_place, before, SCHEME))
    again = decide(evidence_of_frames(rows, 125, rules), rules)
    assert again.track.tolist() == before.track.tolist()
    assert again.spans == before.spans
    # by the box alone they are one person
    unknown = decide(evidence_of_frames(rows, 125), rules)
    assert set(unknown.track.tolist()) == {0}


def test_a_worker_writes_no_descriptor_where_none_outlives_the_run(tmp_path: Path, two_in_one_place: Evidence) -> None:
    decision = decide(two_in_one_place, RulesSettings())
    written = {}
    for name, settings in (("all", CurationSettings()), ("waiting", UNTIL_RECOGNISED), ("none", NONE_STORED)):
        files = VideoFiles(tmp_path / name, VIDEO)
        write_decision(files, two_in_one_place, decision, settings)
        written[name] = read_parquet(files.rows(FRAMES))
        assert file_holds_descriptors(files.rows(FRAMES)) is (name != "none")
    assert written["none"].drop_columns("descriptor").equals(written["all"].drop_columns("descriptor"))
    assert written["waiting"].equals(written["all"])


def test_rows_of_a_long_video_that_wait_for_its_clips_hold_none_either(
    tmp_path: Path, two_in_one_place: Evidence
) -> None:
    files = VideoFiles(tmp_path, VIDEO)
    windows = [Window(first_tick=0, end_tick=100), Window(first_tick=100, end_tick=125)]
    for window in windows:
        write_window(files, window, part(two_in_one_place, window.first_tick, window.end_tick), 1.0)
    evidence = with_audio(read_windows(files, windows)[0], two_in_one_place)
    decision = decide(evidence, RulesSettings())
    assert decision.track[-1] == 1  # told by descriptors of both windows
    write_decided(files, windows, evidence, decision, NONE_STORED)
    assert not file_holds_descriptors(files.waiting_rows(FRAMES))
    assert set(read_parquet(files.waiting_rows(FRAMES))["track_id"].to_pylist()) == {0, 1}


def test_windows_of_a_long_video_remember_what_descriptors_said(tmp_path: Path, two_in_one_place: Evidence) -> None:
    decision = decide(two_in_one_place, RulesSettings())
    rows = without_descriptors(frames_table(VIDEO.video_id, two_in_one_place, decision, SCHEME))
    told = evidence_of_frames(rows, 125, RulesSettings())
    files = VideoFiles(tmp_path, VIDEO)
    windows = [Window(first_tick=0, end_tick=50), Window(first_tick=50, end_tick=125)]
    for window in windows:
        write_window(files, window, part(told, window.first_tick, window.end_tick), 1.0)
    again = with_audio(read_windows(files, windows)[0], told)
    assert decide(again, RulesSettings()).track.tolist() == decision.track.tolist() == [0] * 60 + [1] * 65


@pytest.mark.slow
def test_a_later_run_may_take_descriptors_out_and_all_else_stays(small_run: SmallRun, tmp_path: Path) -> None:
    dataset = Path(shutil.copytree(small_run.dataset, tmp_path / "dataset"))
    before = {name: read_table(dataset, name) for name in ("videos", "frames", "spans", "clips")}
    assert read_dataset(dataset).totals.descriptors is True
    report = run(str(small_run.source), dataset, UNTIL_RECOGNISED, Executor())
    assert (report.curated, report.dataset.record.totals.descriptors) == ((), True)
    assert report.notes == (
        "The dataset holds descriptors of faces until `gaia-curate identities` has been applied to it.",
    )
    report = run(str(small_run.source), dataset, NONE_STORED, Executor())
    assert report.notes == ()
    assert (report.curated, report.dataset.record.totals.descriptors) == ((), False)
    assert not holds_descriptors(dataset)
    after = {name: read_table(dataset, name) for name in before}
    assert after["clips"]["identity"].null_count == after["clips"].num_rows > 0
    for name, table in before.items():
        left = [column for column in table.column_names if column not in ("descriptor", "identity", "other_faces")]
        assert repr(after[name].select(left).to_pylist()) == repr(table.select(left).to_pylist()), name  # NaN is NaN
    assert validate(dataset) == []
    with pytest.raises(DatasetFolderError, match="its descriptors cannot be had back; give a new --out"):
        run(str(small_run.source), dataset, CurationSettings(), Executor())
    decided = redecide(dataset, tmp_path / "decided", None, ["rules.frontal.strict_deg=1"])
    assert decided.record.totals.descriptors is False
    for setting in ("privacy.keep_descriptors=true", "rules.tracks.max_descriptor_distance=0.5"):
        with pytest.raises(SettingsError, match="keeps no descriptors"):
            redecide(dataset, tmp_path / "again", None, [setting])


@pytest.mark.slow
def test_descriptors_that_wait_for_the_recognition_go_with_it(small_run: SmallRun, tmp_path: Path) -> None:
    dataset = Path(shutil.copytree(small_run.dataset, tmp_path / "dataset"))
    run(str(small_run.source), dataset, UNTIL_RECOGNISED, Executor())
    kept = Path(shutil.copytree(small_run.dataset, tmp_path / "kept"))
    for folder, left in ((dataset, False), (kept, True)):
        report = find_identities(folder)
        assert (report.persons, report.clips, report.unknown_clips) == (1, 2, 0)
        assert (holds_descriptors(folder), read_dataset(folder).totals.descriptors) == (left, left)
        assert validate(folder) == []
    assert read_table(dataset, "identities").equals(read_table(kept, "identities"))
    assert read_table(dataset, "clips", ["person_id"]).equals(read_table(kept, "clips", ["person_id"]))
    with pytest.raises(DatasetError, match="holds no identity descriptors"):
        find_identities(dataset)


def test_voices_go_with_the_descriptors_of_faces(tmp_path: Path) -> None:
    made = {"start_s": 0.0, "end_s": 1.0, "n_descriptors": 1, "clip_ids": ["c"], "person_confidence": 1.0}
    rows = [
        {**made, "video_id": "0a00000000000001", "track_id": track, "person_id": "p-1", "voice_embedding": [track, 1.0]}
        for track in range(3)
    ]
    write_identities(tmp_path, table_of("identities", rows))
    assert holds_descriptors(tmp_path)
    assert not holds_descriptors(tmp_path, [FRAMES])
    drop_descriptors(tmp_path)
    assert not holds_descriptors(tmp_path)
    expected = table_of("identities", [{**row, "voice_embedding": None} for row in rows])
    assert read_table(tmp_path, "identities").to_pylist() == expected.to_pylist()


def test_persons_of_videos_without_descriptors_stay_beside_those_of_later_ones() -> None:
    def rows(*faces: tuple[str, int, str]) -> pa.Table:
        made = {"start_s": 0.0, "end_s": 1.0, "n_descriptors": 1, "clip_ids": [], "person_confidence": 1.0}
        return table_of("identities", [{**made, "video_id": v, "track_id": t, "person_id": p} for v, t, p in faces])

    before = rows(("0a00000000000001", 0, "p-1"), ("2b00000000000002", 0, "p-2"), ("2b00000000000002", 7, "p-3"))
    joined = with_earlier(rows(("2b00000000000002", 1, "p-2"), ("0100000000000000", 0, "p-4")), before)
    assert joined.select(["video_id", "track_id", "person_id"]).to_pylist() == [
        {"video_id": "0100000000000000", "track_id": 0, "person_id": "p-4"},
        {"video_id": "0a00000000000001", "track_id": 0, "person_id": "p-1"},
        {"video_id": "2b00000000000002", "track_id": 1, "person_id": "p-2"},
    ]


@pytest.mark.slow
def test_validate_compares_what_the_record_says_and_asks_nothing_of_older_ones(
    small_run: SmallRun, tmp_path: Path
) -> None:
    dataset = Path(shutil.copytree(small_run.dataset, tmp_path / "dataset"))
    record = read_dataset(dataset)
    for said, problems in ((None, []), (False, ["says False, the tables hold True"])):
        totals = record.totals.model_copy(update={"descriptors": said})
        write_dataset(dataset, record.model_copy(update={"totals": totals}))
        assert [problem.what for problem in validate(dataset)] == problems
