"""Measures of a face: declared once, and carried by everything that joins, interpolates, writes or reads them."""

import os
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from manifests.schema.face_measures import FACE_MEASURES, FaceMeasures
from manifests.schema.frames import FACE_COLUMNS, FRAMES

ANOTHER = '''    redness: Float32Array = field(metadata=_column("redness", F32, "0 to 1", "share of red"))
    """(R,) share of red."""
    flushed: BoolArray = field(metadata=_column("flushed", pa.bool_(), "", "redder than others", interpolated=False))
    """(R,) redder than others."""
    cheeks_px: Float32Array | None = field(
        default=None, metadata=_column("cheeks", pa.list_(_POINT, 2), "source px", "middle of the cheeks", "[2,2]")
    )
    """(R, 2, 2) middle of the cheeks; None where the model has none."""

    @property
    def width_px'''
"""Three measures more: a number, a flag, and an array that not every model gives."""

CARRY = """
import numpy as np
from pathlib import Path
from types import SimpleNamespace
from curation.decision.decide import RulesSettings, decide
from curation.evidence.joining import rows_of, stitch
from curation.evidence.measures import Evidence, Faces, FrameEvidence
from curation.output.frame_rows import evidence_of_frames, frames_table, stored_face
from curation.output.video_files import VideoFiles
from curation.output.window_files import read_windows, write_window
from manifests.landmarks import landmark_scheme
from manifests.schema.face_measures import FACE_MEASURES
from manifests.timeline import Window

rng = np.random.default_rng(1)
ticks = np.r_[0:20, 21:40]
shapes = {"box_px": (4,), "key_points_px": (9, 2), "landmarks_px": (68, 2), "pose_deg": (3,), "blendshapes": (52,),
          "descriptor": (128,), "jitter_points_px": (3, 2), "sync_scores": (31,), "cheeks_px": (2, 2)}
measures = {}
for measure in FACE_MEASURES:
    values = rng.random((len(ticks), *shapes.get(measure.field, ()))).astype(np.float32)
    measures[measure.field] = values > 0.5 if measure.is_flag else values.astype(np.float16).astype(np.float32)
measures["box_px"] = np.tile(np.array([100, 80, 300, 280], np.float32), (len(ticks), 1))
measures["descriptor"][:] = 0.1
cut, n = np.zeros(40, np.float32), 40
pictures = FrameEvidence(decoded=np.ones(n, np.bool_), faces=Faces(tick=ticks, **measures), cut_score=cut)

files = VideoFiles(Path("."), SimpleNamespace(video_id="v"))
windows = Window(first_tick=0, end_tick=20), Window(first_tick=20, end_tick=40)
for window in windows:
    inside = (ticks >= window.first_tick) & (ticks < window.end_tick)
    part = {name: values[inside] for name, values in measures.items()}
    faces = Faces(tick=ticks[inside] - window.first_tick, **part)
    seen = FrameEvidence(decoded=np.ones(20, np.bool_), faces=faces, cut_score=cut[:20])
    write_window(files, window, seen, 1.0)
joined, _ = read_windows(files, windows, large=True)

evidence = Evidence(decoded=joined.decoded, faces=joined.faces, cut_score=cut, speech_prob=None, loudness_dbfs=None)
decision = decide(evidence, RulesSettings())
assert decision.main.bridged.tolist() == [tick == 20 for tick in range(40)]
for measure in FACE_MEASURES:
    around, between = (getattr(decision.face, measure.field)[k] for k in ([19, 21], 20))
    if measure.interpolated:
        np.testing.assert_allclose(between, around.mean(axis=0), rtol=1e-5, err_msg=measure.field)
    else:
        assert not between.any() if measure.is_flag else np.isnan(between).all(), measure.field
table = frames_table("v", evidence, decision, landmark_scheme("ibug68"))
back = evidence_of_frames(table, n).faces
main = stored_face(table.slice(21))
for measure in FACE_MEASURES:
    np.testing.assert_array_equal(getattr(back, measure.field), measures[measure.field], err_msg=measure.field)
    own = getattr(rows_of(decision.face, 21, 40), measure.field)
    np.testing.assert_array_equal(getattr(main, measure.field), own, err_msg=measure.field)
print(*(measure.field for measure in FACE_MEASURES[-3:]))
"""


def test_every_measure_is_a_column_of_frames_and_of_the_other_faces() -> None:
    assert [measure.field for measure in FACE_MEASURES] == [field.name for field in fields(FaceMeasures)]
    for measure in FACE_MEASURES:
        assert FRAMES.column(measure.column.name) == measure.column
        assert measure.column in FACE_COLUMNS


def test_what_stands_where_nothing_was_measured() -> None:
    unmeasured = {measure.field: measure.unmeasured(3) for measure in FACE_MEASURES}
    assert unmeasured["blendshapes"] is unmeasured["sync_scores"] is None
    shapes = {name: values.shape for name, values in unmeasured.items() if values is not None}
    assert shapes["key_points_px"] == (3, 9, 2)
    assert shapes["landmarks_px"] == (3, 0, 2)
    assert shapes["descriptor"] == (3, 0)
    assert shapes["score"] == (3,)
    flags = unmeasured["mask_measured"]
    assert flags is not None
    assert flags.tolist() == [False] * 3
    np.testing.assert_array_equal(unmeasured["pose_deg"], np.full((3, 3), np.nan))


@pytest.mark.parametrize("changed", [False, True], ids=["as it is", "with three measures more"])
def test_another_measure_is_carried_by_its_declaration_alone(changed: bool, repository: Path, tmp_path: Path) -> None:
    for name in ("foundation", "manifests", "curation"):
        shutil.copytree(repository / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "embedded"))
    if changed:
        path = tmp_path / "manifests" / "schema" / "face_measures.py"
        text = path.read_text(encoding="utf-8")
        assert text.count("    @property\n    def width_px") == 1
        path.write_text(text.replace("    @property\n    def width_px", ANOTHER), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [sys.executable, "-c", CARRY], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    last = "redness flushed cheeks_px" if changed else "jitter_points_px sync_scores speaking_prob"
    assert done.stdout.split() == last.split()
