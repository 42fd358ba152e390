"""Proof that tests fail where the code is wrong: each mutation below must make its test fail.

A copy of the packages and the tests is spoilt in one place at a time, and the named test runs on the copy.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PARTS = ("foundation", "manifests", "curation", "tests", "pyproject.toml")
RULES = "tests/curation/rules"
FRONTAL = f"{RULES}/test_frontal.py::test_"
SIMPLE = f"{RULES}/test_simple_rules.py::test_"
CROP = "tests/curation/rendering/test_crop.py::test_"
DECIDE = "tests/curation/decision/test_decide.py::test_"
AUDIO = "tests/curation/media/test_audio.py::test_"
WHISPER = "tests/curation/speech/test_whisper.py::test_"


@dataclass(frozen=True, slots=True)
class Mutation:
    """One way of spoiling the code."""

    what: str
    """What is wrong then; the row of docs/reference/testing.md."""
    file: str
    old: str
    """Stands in the file exactly once."""
    new: str
    test: str
    """Must fail."""
    real_speech: bool = False
    """The test needs the folder of real clips."""


MUTATIONS = (
    Mutation(
        "rule `frontal` keeps what it should drop",
        "curation/rules/frontal.py", "deviation > limit_deg", "deviation < limit_deg",
        f"{FRONTAL}a_deviation_at_the_limit_passes_and_an_unknown_one",
    ),
    Mutation(
        "frontal angle counter-clockwise",
        "curation/rules/frontal.py", "np.arctan2(offset[..., 1], ", "np.arctan2(-offset[..., 1], ",
        f"{FRONTAL}upright_frontal_face_measures_180_degrees",
    ),
    Mutation(
        "frontal angle to an inner eye corner",
        "curation/rules/frontal.py", '_LEFT = KEY_POINT_NAMES.index("left_eye_outer")',
        '_LEFT = KEY_POINT_NAMES.index("left_eye_inner")',
        f"{FRONTAL}outer_corners_are_taken_not_inner_ones",
    ),
    Mutation(
        "corners of an eye swapped in `mediapipe478`",
        "manifests/landmarks.py", "(1, 33, 133, 362, 263,", "(1, 33, 133, 263, 362,",
        "tests/manifests/test_landmarks.py::test_key_points_are_the_corners_of_the_contours",
    ),
    Mutation(
        "corners of an eye swapped in `ibug68`",
        "manifests/landmarks.py", "(30, 36, 39, 42, 45,", "(30, 39, 36, 42, 45,",
        "tests/manifests/test_landmarks.py::test_key_points_are_the_corners_of_the_contours",
    ),
    Mutation(
        "rule `jitter` keeps what it should drop",
        "curation/rules/jitter.py", "(step > limit) &", "(step < limit) &",
        f"{RULES}/test_jitter.py::test_without_a_guard_only_the_ticks_of_the_step_are_dropped",
    ),
    Mutation(
        "a step drops the tick after it only",
        "curation/rules/jitter.py", "range(-settings.guard_ticks - 1, ", "range(-settings.guard_ticks, ",
        f"{RULES}/test_jitter.py::test_without_a_guard_only_the_ticks_of_the_step_are_dropped",
    ),
    Mutation(
        "rule `jitter` drops a nod and keeps a jump",
        "curation/rules/jitter.py", "explained < min_steadiness", "explained > min_steadiness",
        f"{RULES}/test_jitter.py::test_a_quick_nod_and_a_quick_turn_pass",
    ),
    Mutation(
        "a tilted face is turned the wrong way",
        "curation/rules/frontal.py", "[np.cos(tilt), -np.sin(tilt)]", "[np.cos(tilt), np.sin(tilt)]",
        f"{FRONTAL}without_the_roll_a_turned_face_is_as_far_off_tilted_as_upright",
    ),
    Mutation(
        "the lips of another shot count",
        "curation/rules/silence.py", "n_ticks, breaks, least", "n_ticks, np.zeros_like(breaks), least",
        f"{RULES}/test_silence.py::test_the_lips_of_the_shot_before_do_not_count",
    ),
    Mutation(
        "rule `mask` keeps what it should drop",
        "curation/rules/mask.py", "smoothed > settings.max_prob", "smoothed < settings.max_prob",
        f"{SIMPLE}a_short_burst_of_mask_probability_is_smoothed_away_and_a_long_one_is_not",
    ),
    Mutation(
        "rule `silence` takes speech for silence",
        "curation/rules/silence.py", "speech_prob < settings.min", "speech_prob >= settings.min",
        f"{RULES}/test_silence.py::test_a_longer_pause_is_dropped_but_for_its_pads",
    ),
    Mutation(
        "rule `small_face` drops the large ones",
        "curation/rules/small_face.py", "width_px < limit_px", "width_px > limit_px",
        f"{SIMPLE}a_face_below_the_limit_is_dropped_and_one_at_it_is_not",
    ),
    Mutation(
        "rule `several_faces` drops the lone ones",
        "curation/rules/several_faces.py", "width_ratio >= settings", "width_ratio < settings",
        f"{SIMPLE}a_second_face_half_as_wide_drops_the_tick_and_a_narrower_one_does_not",
    ),
    Mutation(
        "rule `no_face` drops the bridged misses only",
        "curation/rules/no_face.py", "missing & ~bridged", "missing & bridged",
        f"{SIMPLE}a_missing_face_drops_the_tick_unless_it_is_bridged",
    ),
    Mutation(
        "rule `cut` finds cuts where there are none",
        "curation/rules/cut.py", "score >= settings.min_score", "score < settings.min_score",
        f"{SIMPLE}a_score_at_the_limit_is_a_cut",
    ),
    Mutation(
        "a cut may be asked for below the score from which captions are checked",
        "curation/rules/cut.py", "ge=LEAST_CUT_SCORE", "ge=0.0",
        "tests/curation/perception/test_cuts.py::"
        "test_captions_are_told_from_cuts_only_where_the_score_reaches_what_may_be_a_cut",
    ),
    Mutation(
        "a rule of the user's own keeps what it should drop",
        "curation/rules/rule.py", "value > limit if", "value < limit if",
        f"{RULES}/test_rule.py::test_a_value_above_at_most_fails_in_every_tier_and_one_at_it_does_not",
    ),
    Mutation(
        "a cut loses a tick",
        "curation/decision/judgement.py", "        if not rule.boundary:\n            dropped",
        "        if rule:\n            dropped",
        f"{DECIDE}a_cut_divides_clips_and_loses_no_tick",
    ),
    Mutation(
        "a clip may have 74 ticks",
        "curation/rules/too_short.py", "math.ceil(self.min_s * TICK_RATE_HZ)",
        "math.ceil(self.min_s * TICK_RATE_HZ) - 1",
        f"{DECIDE}74_ticks_are_too_short_and_75_are_a_clip",
    ),
    Mutation(
        "a bridged face is interpolated backwards",
        "curation/decision/main_face.py", "rows[before] * (1 - weight) + rows[after] * weight",
        "rows[before] * weight + rows[after] * (1 - weight)",
        f"{DECIDE}a_bridged_miss_is_kept_with_interpolated_landmarks",
    ),
    Mutation(
        "the number of ticks is rounded down",
        "manifests/timeline.py", "round(Fraction(duration_s)", "int(Fraction(duration_s)",
        "tests/manifests/test_timeline.py::test_a_video_has_the_nearest_whole_number_of_ticks",
    ),
    Mutation(
        "half way between two pictures the later is shown",
        "curation/media/tick_pairing.py", "- time), shown.pts)", "- time), -shown.pts)",
        "tests/curation/media/test_frames.py::test_fifty_and_twelve_and_a_half_pictures_a_second_by_hand",
    ),
    Mutation(
        "the crop shows one column further right",
        "curation/rendering/crop.py", "part_within(self.x0_px, ", "part_within(self.x0_px + 1, ",
        f"{CROP}a_crop_of_the_clips_own_size_is_the_source_pixel_for_pixel",
    ),
    Mutation(
        "the crop is chosen one row too low",
        "curation/rendering/crop.py", "y0_px=round((y0 + y1 - size) / 2)", "y0_px=round((y0 + y1 - size) / 2) + 1",
        f"{CROP}the_median_face_is_centred_at_the_asked_ratio",
    ),
    Mutation(
        "x and y swapped in the origin of landmarks",
        "curation/rendering/crop.py", "np.array([self.x0_px, self.y0_px]", "np.array([self.y0_px, self.x0_px]",
        f"{CROP}points_follow_the_pixels",
    ),
    Mutation(
        "pitch and yaw swapped",
        "curation/perception/pose/angles.py", "np.degrees([pitch, yaw, roll])", "np.degrees([yaw, pitch, roll])",
        "tests/curation/perception/pose/test_angles.py::test_a_nose_raised_is_positive_pitch",
    ),
    Mutation(
        "yaw with the other sign",
        "curation/perception/pose/angles.py", "np.arctan2(-rotation[2, 0], ", "np.arctan2(rotation[2, 0], ",
        "tests/curation/perception/pose/test_angles.py::test_a_nose_towards_the_right_border_is_positive_yaw",
    ),
    Mutation(
        "the sound comes one tick late",
        "curation/media/audio.py", "round((start_s - begin_s) * rate_hz)", "round((start_s - begin_s) * rate_hz) + 640",
        "tests/curation/media/test_beep_flash.py::test_every_beep_is_within_ten_milliseconds_of_its_flash[mp4-25-0]",
    ),
    Mutation(
        "the sound starts when its track does, not when the pictures do",
        "curation/media/audio.py", "frames = ((time_s - zero_s, frame)", "frames = ((time_s, frame)",
        f"{AUDIO}pictures_that_start_late_move_the_zero",
    ),
    Mutation(
        "speech probability at the beginning of a tick",
        "curation/perception/voice.py", "(np.arange(n_ticks) + 0.5) * SAMPLES_PER_TICK",
        "np.arange(n_ticks) * SAMPLES_PER_TICK",
        "tests/curation/perception/test_voice.py::test_a_tick_takes_the_probability_at_its_centre",
    ),
    Mutation(
        "loudness normalised away from the target",
        "curation/speech/loudness.py", "target_lufs - after_lufs", "after_lufs - target_lufs",
        "tests/curation/speech/test_loudness.py::test_a_tone_is_brought_to_the_target",
    ),
    Mutation(
        "speech features one row late",
        "curation/speech/whisper.py", "frames[0, 1::2]", "np.roll(frames[0, 1::2], 1, axis=0)",
        f"{WHISPER}a_click_changes_the_rows_of_its_own_tick", real_speech=True,
    ),
    Mutation(
        "byte ranges of a tar off by one",
        "manifests/files/tar.py", "(offset=self._stream.tell(), ", "(offset=self._stream.tell() + 1, ",
        "tests/manifests/files/test_tables.py::test_tar_members_lie_where_the_ranges_say_and_tarfile_agrees",
    ),
    Mutation(
        "a duplicate is counted twice",
        "manifests/reports/statistics.py", "[video for video in videos if video.duplicate_of is None]", "list(videos)",
        "tests/manifests/reports/test_statistics.py::test_speakers_and_seconds_per_source_count_duplicates_once",
    ),
    Mutation(
        "equal content at two places is two videos",
        "curation/sources/identify.py", "None if content is None else first_with.get(video_id)", "None",
        "tests/curation/sources/test_discover.py::test_the_second_file_with_the_same_content_names_the_first",
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """Packages and tests in a folder of their own, of which Python imports them there."""
    folder = tmp_path_factory.mktemp("copy")
    for name in PARTS:
        source = repository / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "mutation", "*.mp4"))
        else:
            shutil.copy(source, folder / name)
    program = "import curation, manifests; print(curation.__file__); print(manifests.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=_environment(folder),
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == [str(folder / name / "__init__.py") for name in ("curation", "manifests")]
    return folder


SERVER = """
import json, os, sys
import av, cv2, numpy, pyarrow.parquet, pydantic, pytest, scipy.signal, torch, typer.testing

for line in sys.stdin:
    tests, variables, told = json.loads(line)
    pid = os.fork()
    if pid == 0:
        os.environ.update(variables)
        output = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        code = pytest.main(["-q", "-p", "no:cacheprovider", *tests])
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""
"""Runs tests, each time in a process of its own that has the libraries, and nothing of the copy, imported."""


@dataclass(frozen=True, slots=True)
class Done:
    """The end of tests."""

    returncode: int
    stdout: str
    """What they printed, errors included."""


Run = Callable[[list[str], Path | None], Done]


@pytest.fixture(scope="module")
def run_tests(copy: Path) -> Iterator[Run]:
    """Run tests of the copy; with a folder of real clips, they find it in GAIA_SHARED."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER],
        cwd=copy,
        env=_environment(copy),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    asked, answers, told = server.stdin, server.stdout, copy / "told"
    assert asked is not None
    assert answers is not None

    def run(tests: list[str], shared: Path | None) -> Done:
        variables = {} if shared is None else {"GAIA_SHARED": str(shared)}
        asked.write(f"{json.dumps([tests, variables, str(told)])}\n")
        asked.flush()
        return Done(int(answers.readline()), told.read_text(errors="replace"))

    yield run
    server.communicate()


@pytest.fixture
def spoilt(copy: Path, request: pytest.FixtureRequest) -> Iterator[Mutation]:
    """A mutation that the copy has, and that is taken back afterwards."""
    mutation: Mutation = request.param
    path = copy / mutation.file
    whole = path.read_text(encoding="utf-8")
    assert whole.count(mutation.old) == 1, f"mutation out of date: {mutation.old!r} is not once in {mutation.file}"
    path.write_text(whole.replace(mutation.old, mutation.new), encoding="utf-8")
    yield mutation
    path.write_text(whole, encoding="utf-8")


def _environment(folder: Path) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    # A file that is spoilt and mended within a second looks unchanged to the cache of compiled modules.
    return environment | {
        "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"
    }  # fmt: skip


@pytest.mark.slow
def test_the_tests_pass_on_the_copy_as_it_is(run_tests: Run, shared_dir: Path) -> None:
    tests = sorted({mutation.test for mutation in MUTATIONS})
    done = run_tests(tests, shared_dir)
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("spoilt", MUTATIONS, ids=[mutation.what for mutation in MUTATIONS], indirect=True)
def test_a_mutation_makes_its_test_fail(spoilt: Mutation, run_tests: Run, request: pytest.FixtureRequest) -> None:
    shared = request.getfixturevalue("shared_dir") if spoilt.real_speech else None
    done = run_tests([spoilt.test], shared)
    assert done.returncode == 1, f"{spoilt.test} does not notice: {spoilt.what}\n{done.stdout}"


def test_the_docs_page_lists_every_mutation(repository: Path) -> None:
    lines = (repository / "docs" / "reference" / "testing.md").read_text(encoding="utf-8").splitlines()
    table = [line for line in lines if line.startswith("| ") and line.endswith("` |")]
    assert table == [f"| {m.what} | `{m.file}` | `{m.test.rpartition('::')[2]}` |" for m in MUTATIONS]
