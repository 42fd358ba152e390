"""Labels that tell a known truth give it back, and the limits that follow from them decide as promised."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.review_pages import TICKS, WIDTHS, data_of, video_of
from typer.testing import CliRunner

from curation.cli.app import app
from curation.operations.decide import redecide
from curation.review.build import write_label_sheet
from curation.review.calibration import calibrate
from curation.review.labels import LabelsError
from foundation.errors import UsageError
from manifests.files.tables import read_table

KEY = "small_face.diffusion"

Labels = dict[str, Any]


@pytest.fixture(scope="module")
def identity(judged: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Digest of the limits, as a page of the dataset has it."""
    page = tmp_path_factory.mktemp("page") / "sheet.html"
    write_label_sheet(judged, page, n=1)
    return str(data_of(page)["identity"])


def labels_of(identity: str, labels: list[Labels], strata: dict[str, int]) -> Labels:
    head = {"format": "gaia-labels", "version": 1, "dataset": "dataset", "identity": identity, "draw": "random"}
    return {**head, "criteria": {KEY: {"limit": 100.0, "strata": strata}}, "labels": labels}


def label(width: int, *, right: bool, stratum: str | None = None) -> Labels:
    dropped = width < 100
    stretch = {"criterion": KEY, "video_id": video_of(width), "start_s": 0.0, "end_s": TICKS / 25}
    named = stratum or ("dropped, far" if dropped else "kept, far")
    return {**stretch, "value": float(width), "dropped": dropped, "stratum": named, "right": right}


@pytest.fixture
def write(tmp_path: Path, identity: str) -> Callable[..., Path]:
    def written(labels: list[Labels], strata: dict[str, int] | None = None, changes: Labels | None = None) -> Path:
        path = tmp_path / "labels.json"
        known = {"dropped, far": 29, "kept, far": 31} if strata is None else strata
        path.write_text(json.dumps(labels_of(identity, labels, known) | (changes or {})), encoding="utf-8")
        return path

    return written


def test_sixty_labels_of_a_known_error_rate_give_back_the_known_precision(
    judged: Path, write: Callable[..., Path]
) -> None:
    # of the 29 that are dropped, 6 are wrong, a fifth; of the 31 that are kept, 3 are
    wrong = {75, 80, 85, 90, 95, 99, 100, 110, 120}
    labels = write([label(width, right=width not in wrong) for width in WIDTHS])
    (found,) = calibrate(judged, labels).limits
    assert (found.rule, found.tier, found.limit, found.n_labels, found.covered) == (
        "small_face",
        "diffusion",
        100.0,
        60,
        1.0,
    )
    assert found.precision is not None
    assert found.recall is not None
    assert found.precision.value == pytest.approx(23 / 29)
    assert found.precision.low < 0.8 < found.precision.high
    assert found.recall.value == pytest.approx(23 / 26)


def test_a_stratum_weighs_as_much_as_the_stretches_in_it(judged: Path, write: Callable[..., Path]) -> None:
    # near the limit 2 of 10 are right, among the 900 far ones 18 of 20: (100 * 0.2 + 900 * 0.9) / 1000
    near = [label(width, right=width < 92, stratum="dropped, near") for width in range(90, 100)]
    far = [label(width, right=width < 88, stratum="dropped, far") for width in range(71, 90)]
    far.append(label(70, right=True, stratum="dropped, far") | {"video_id": video_of(100)})
    labels = write([*near, *far], {"dropped, near": 100, "dropped, far": 900, "kept, far": 1000})
    (found,) = calibrate(judged, labels).limits
    assert found.precision is not None
    assert found.precision.value == pytest.approx(0.83)
    assert found.covered == 0.5


def test_the_written_config_decides_as_promised(judged: Path, write: Callable[..., Path], tmp_path: Path) -> None:
    # faces below 90 px deserve it: of 29 that are dropped 19, and none that is kept
    labels = write([label(width, right=(width < 90) == (width < 100)) for width in WIDTHS])
    config = tmp_path / "limits.yaml"
    found = calibrate(judged, labels, precision=0.95, out=config)
    (limit,) = found.limits
    assert limit.precision is not None
    assert limit.precision.value == pytest.approx(19 / 29)
    assert limit.new_limit is not None
    assert 89.0 < limit.new_limit < 90.0
    assert limit.new_precision is not None
    assert (limit.new_precision.value, limit.new_precision.n) == (1.0, 19)
    assert "89.5" in found.text()

    again = redecide(judged, tmp_path / "again", config)
    spans = read_table(again.path, "spans").to_pylist()
    dropped = {row["video_id"] for row in spans if row["tier"] == "diffusion" and row["outcome"] == "small_face"}
    assert dropped == {video_of(width) for width in range(71, 90)}
    limits = {row["limit"] for row in spans if row["tier"] == "diffusion" and row["outcome"] == "small_face"}
    assert limits == {np.float32(limit.new_limit)}


def test_no_limit_is_written_that_the_settings_do_not_allow(judged: Path, write: Callable[..., Path]) -> None:
    # strict_px may not lie below loose_px, 75
    labels = write([label(width, right=(width < 73) == (width < 100)) for width in WIDTHS])
    (found,) = calibrate(judged, labels).limits
    assert (found.new_limit, found.note) == (None, "not allowed")


def test_a_precision_that_no_limit_has_is_said(judged: Path, write: Callable[..., Path]) -> None:
    labels = write([label(width, right=width >= 100) for width in WIDTHS])
    calibration = calibrate(judged, labels)
    assert (calibration.limits[0].note, calibration.overrides) == ("none reaches it", {})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": []}, "holds no label"),
        ({"identity": "0" * 16}, "made under other limits"),
        ({"format": "other"}, "is no file of labels: format"),
        ({"version": 2}, "is no file of labels: version"),
        ({"labels": [label(80, right=True) | {"video_id": "ffff"}]}, "they are of another dataset, called 'dataset'"),
        ({"labels": [label(80, right=True) | {"criterion": "beauty.vae"}]}, "'beauty.vae', which is no rule"),
        ({"labels": [label(80, right=True) | {"stratum": "x"}]}, "does not tell how many stretches"),
        ({"labels": [label(80, right=True)] * 2}, "labels a stretch twice"),
        ({"labels": [label(80, right=True) | {"value": "wide"}]}, "is no file of labels: labels"),
        ({"labels": [label(80, right=True) | {"value": 1e308}]}, "is no file of labels: labels.*less than or equal"),
        ({"criteria": {"frontal.vae": {"limit": 1, "strata": {"near": 10**400}}}}, "is no file of labels: criteria"),
    ],
)
def test_labels_that_cannot_be_used_are_refused(
    judged: Path, write: Callable[..., Path], changes: dict[str, object], said: str
) -> None:
    with pytest.raises(LabelsError, match=said):
        calibrate(judged, write([label(80, right=True)], changes=changes))


def test_commands_say_what_is_wrong_with_exit_code_2(judged: Path, write: Callable[..., Path], tmp_path: Path) -> None:
    good = write([label(80, right=True)])
    os.mkfifo(tmp_path / "pipe.json")
    broken = tmp_path / "broken.json"
    broken.write_bytes(b"\xff{")
    arguments: list[tuple[list[str], str]] = [
        (["calibrate", str(judged), str(broken)], "is no file of labels"),
        (["calibrate", str(judged), str(tmp_path / "none.json")], "cannot be read"),
        (["calibrate", str(judged), str(tmp_path / "pipe.json")], "is a named pipe"),
        (["calibrate", str(tmp_path), str(good)], "is no dataset"),
        (["calibrate", str(judged), str(good), "--precision", "95"], "above 0 and up to 1"),
        (["label-sheet", str(judged), "--out", str(tmp_path / "s.html"), "--rule", "beauty"], "has no rule 'beauty'"),
        (["report", str(tmp_path), "--out", str(tmp_path / "r.html")], "is no dataset"),
        # names that files of the dataset or of the labels have
        (["report", str(judged), "--out", str(judged / "dataset.json")], "is no name of a page"),
        (["label-sheet", str(judged), "--out", str(judged / "dataset.json")], "is no name of a page"),
        (["calibrate", str(judged), str(good), "--out", str(good)], "is no name of a file of settings"),
    ]
    for given, said in arguments:
        result = CliRunner().invoke(app, given)
        assert (result.exit_code, said in result.output) == (2, True), result.output
    result = CliRunner().invoke(app, ["calibrate", str(judged), str(good), "--json"])
    assert json.loads(result.output)["limits"][0]["precision"]["value"] == 1.0


def test_a_precision_beyond_1_is_refused_by_the_function_too(judged: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="above 0"):
        calibrate(judged, tmp_path / "labels.json", precision=0.0)
