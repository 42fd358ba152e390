import json

import pytest

from benchmarks.speed_report import (
    Result,
    analysis_results,
    curation_result,
    help_result,
    json_line,
    loader_results,
    not_measured,
    results_table,
    training_result,
)


def test_the_start_of_the_command_is_the_median_of_its_times() -> None:
    assert help_result([0.5, 0.2, 9.0]).value == 0.5


def test_rates_of_the_analysis_are_frames_over_processor_time() -> None:
    analysis, loop, ratio = analysis_results(300, 3.0, 12.0)
    assert (analysis.value, loop.value, ratio.value) == (100.0, 25.0, 4.0)


def test_without_the_weights_of_the_loop_there_is_no_ratio_and_no_failure() -> None:
    analysis, loop = analysis_results(300, 3.0, None)
    assert analysis.value == 100.0
    assert loop.value is None
    assert not loop.failed
    assert "gaia-curate models pull dlib_shape_predictor_68" in loop.note


def test_the_speed_of_a_run_is_video_time_over_wall_time() -> None:
    result = curation_result("paper", 60.0, 40.0)
    assert result.value == 1.5
    assert result.name == "gaia-curate run, paper"
    assert "40.0 s" in result.note


def test_the_loaders_report_pairs_and_sequences() -> None:
    pairs, sequences = loader_results({"pairs": 75.0, "sequences": 101.0, "decoding_alone": 150.0})
    assert (pairs.value, sequences.value) == (75.0, 101.0)


def test_steps_a_second_are_samples_a_second_over_the_batch() -> None:
    result = training_result("vae_plain:tiny", 4, 6.0)
    assert result.value == 1.5
    assert result.name == "training, vae tiny"


def test_the_table_has_a_row_a_result_and_a_dash_for_what_was_not_measured() -> None:
    results = [
        Result(name="fast", value=1234.4, unit="per s", note="as made"),
        Result(name="medium", value=56.78, unit="per s"),
        Result(name="slow", value=0.125, unit="times"),
        not_measured("paper", "times", "needs weights", failed=False),
    ]
    assert results_table(results).splitlines() == [
        "measurement  value  unit   note",
        "-----------  -----  -----  -------------",
        "fast         1,234  per s  as made",
        "medium        56.8  per s",
        "slow          0.12  times",
        "paper            -  times  needs weights",
    ]


@pytest.mark.parametrize(("value", "written"), [(97.7123, 97.71), (0.00123456, 0.001235), (None, None)])
def test_a_json_line_has_four_significant_digits(value: float | None, written: float | None) -> None:
    line = json.loads(json_line(Result(name="a", value=value, unit="s", note="b")))
    assert line == {"name": "a", "value": written, "unit": "s", "note": "b", "failed": False}
