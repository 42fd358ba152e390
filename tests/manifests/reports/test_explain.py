"""What `explain` says about the small dataset of conftest.py."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from manifests.errors import DatasetError
from manifests.files.tables import write_parquet
from manifests.reports.explain import explain
from manifests.reports.statistics import statistics
from manifests.reports.validate import validate
from manifests.schema.videos import SPANS

A = "00000000000000aa"


def test_a_dropped_second_names_rule_value_limit_and_neighbours(dataset: Path) -> None:
    explanation = explain(dataset, "a.mp4", 4.2)
    diffusion, vae = explanation.tiers
    assert diffusion.span_of_second == vae.span_of_second == 1
    assert diffusion.spans[1].outcome == "frontal"
    assert explanation.evidence["tick"] == 105
    assert explanation.evidence["frontal_angle_deg"] == 75.0
    text = explanation.text()
    assert (
        "Tier diffusion: dropped as frontal, 0:04.00 to 0:04.80: deviation from a frontal face is "
        "23.5 deg; kept is at most 15 deg" in text
    )
    assert f"before: kept, 0:00.00 to 0:04.00: in clip {A}-0000000-0000099" in text
    assert "after: silence, 0:04.80 to 0:08.00: length of the pause is 3.2 s; kept is at most 0.6 s" in text


@pytest.mark.parametrize(("time_s", "tick"), [(0.0, 0), (1.16, 29), (1.159, 28), (3.999, 99), (7.96, 199)])
def test_a_time_belongs_to_the_tick_that_begins_at_or_before_it(dataset: Path, time_s: float, tick: int) -> None:
    assert explain(dataset, "a.mp4", time_s).evidence["tick"] == tick


def test_without_a_time_all_spans_are_shown(dataset: Path) -> None:
    text = explain(dataset, "d.mp4").text()
    assert "/videos/x/d.mp4 (00000000000000dd): ok" in text
    assert "0:00.00  0:02.00  too_short  length of the good stretch is 2 s; kept is at least 3 s" in text


@pytest.mark.parametrize("name", [A, "/videos/a.mp4", "a.mp4"])
def test_a_video_is_found_by_id_path_or_name(dataset: Path, name: str) -> None:
    assert explain(dataset, name).path == "/videos/a.mp4"


def test_a_dataset_whose_first_run_has_not_ended_has_no_video_to_explain(dataset: Path) -> None:
    (dataset / "videos" / "videos.parquet").unlink()
    with pytest.raises(DatasetError, match=r"has no video 'a\.mp4', nor any other: no run has ended yet"):
        explain(dataset, "a.mp4", 1.0)


def test_a_duplicate_and_a_failed_video_say_so(dataset: Path) -> None:
    assert "the same content as /videos/a.mp4" in explain(dataset, "b.mp4").text()
    assert "The video was not curated: unreadable: empty" in explain(dataset, "broken.mp4").text()


@pytest.mark.parametrize(("video", "time_s"), [("gone.mp4", None), ("a.mp4", 8.0), ("a.mp4", -0.1)])
def test_what_does_not_exist_is_refused(dataset: Path, video: str, time_s: float | None) -> None:
    with pytest.raises(DatasetError, match=r"has no (video|second)"):
        explain(dataset, video, time_s)


def test_a_rule_of_the_users_own_is_explained_in_its_recorded_words(dataset: Path) -> None:
    path = dataset / "spans" / "spans.parquet"
    spans = pq.read_table(path, partitioning=None)
    outcomes = ["boring" if name == "silence" else name for name in spans["outcome"].to_pylist()]
    spans = spans.set_column(spans.column_names.index("outcome"), "outcome", pa.array(outcomes))
    write_parquet(path, spans.cast(SPANS.arrow_schema()), SPANS)
    assert "outcome 'boring' is unknown" in "".join(str(problem) for problem in validate(dataset))

    record = json.loads((dataset / "dataset.json").read_text())
    boring = {"name": "boring", "words": "yawns a minute", "unit": "1/min", "keeps": "at most", "own": True}
    record["rules"] = [*record["rules"], boring]
    (dataset / "dataset.json").write_text(json.dumps(record))
    assert validate(dataset) == []
    text = explain(dataset, "a.mp4", 5.0).text()
    assert "dropped as boring, 0:04.80 to 0:08.00: yawns a minute is 3.2 1/min; kept is at most 0.6 1/min" in text
    assert [row.outcome for row in statistics(dataset).drops if row.tier == "diffusion"] == [
        "boring", "too_short", "frontal",
    ]  # fmt: skip


def test_a_dataset_that_describes_no_rules_is_explained_by_their_names(dataset: Path) -> None:
    record = json.loads((dataset / "dataset.json").read_text())
    del record["rules"]
    (dataset / "dataset.json").write_text(json.dumps(record))
    text = explain(dataset, "a.mp4", 4.2).text()
    assert "dropped as frontal, 0:04.00 to 0:04.80: value of the rule frontal is 23.5; the limit is 15" in text


def test_evidence_of_another_type_is_refused_by_name(dataset: Path) -> None:
    (path,) = sorted((dataset / "frames").glob("*.parquet"))[:1]
    frames = pq.read_table(path)
    number = frames.schema.get_field_index("mask_measured")
    words = pa.array(["seven"] * len(frames))
    pq.write_table(frames.set_column(number, "mask_measured", words), path)
    video = frames["video_id"][0].as_py()
    with pytest.raises(DatasetError, match=r"frames.*seven"):
        explain(dataset, video, 0.0)
