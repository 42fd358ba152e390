from pathlib import Path

import pytest

from curation.settings import CurationSettings
from curation.what_if.kept_charts import require_picture
from curation.what_if.variations import Variation, combinations, variation_of
from foundation.errors import UsageError
from foundation.settings import SettingsError

HERE = Path("dataset")


def test_a_range_has_both_of_its_ends_and_no_rounding_between() -> None:
    assert variation_of("rules.frontal.strict_deg=5:40:5").values == (5, 10, 15, 20, 25, 30, 35, 40)
    assert variation_of("rules.mask.max_prob=0.1:0.3:0.1").values == (0.1, 0.2, 0.3)
    assert variation_of("rules.too_short.min_s=3:2:-0.5").values == (3, 2.5, 2)
    assert variation_of("rules.too_short.min_s=1:2:0.75").values == (1, 1.75)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rules.frontal.strict_deg", "has no values"),
        ("=5", "has no values"),
        ("rules.frontal.strict_deg=", "has no values"),
        ("rules.frontal.strict_deg=5:40", "is no range"),
        ("rules.frontal.strict_deg=5:40:0", "steps of 0 do not lead from 5 to 40"),
        ("rules.frontal.strict_deg=5:40:-5", "steps of -5 do not lead from 5 to 40"),
        ("rules.frontal.strict_deg=5:many:5", "'many' is no number"),
        ("rules.frontal.strict_deg=5:inf:5", "'inf' is no number"),
        ("rules.frontal.strict_deg=0:1:0.0001", "has 10001 values"),
        ("rules.frontal.strict_deg=0:1e400000:1e-400000", "too large or too small"),
        ("rules.frontal.strict_deg=0:1e9999999:1", "too large or too small"),
        ("rules.frontal.strict_deg=5,1e9999999", "too large or too small"),
        ("rules.frontal.strict_deg=5,5.0", "names a value twice"),
        ("rules.frontal.strict_deg=[5]", "is no single value"),
    ],
)
def test_text_that_names_no_values_is_refused_with_its_form(text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says.replace("[", r"\[")):
        variation_of(text)


def _combined(*texts: str) -> list[tuple[object, ...]]:
    settings = CurationSettings()
    made = combinations(settings, settings, [variation_of(text) for text in texts], HERE)
    return [one.values if one.settings is not None else (*one.values, "refused") for one in made]


def test_two_settings_make_a_grid_in_which_values_that_do_not_go_together_are_marked() -> None:
    assert _combined("rules.frontal.strict_deg=30,50", "rules.frontal.loose_deg=45,60") == [
        (30, 45),
        (30, 60),
        (50, 45, "refused"),
        (50, 60),
    ]


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (["rules.frontal.strict=5"], "strict_deg"),
        (["rules.frontal.strict_deg=-5,5"], "-5"),
        (["rules.frontal.strict_deg=30,50"], "50"),
        (["rules.frontal.strict_deg=word"], "word"),
        (["rules.sync.drop=everything"], "everything"),
        (["perception.identity=dlib"], "does not decide what is kept"),
        (["speech.target_lufs=-20"], "does not decide what is kept"),
        ([], "0 settings are varied"),
        (["rules.mask.max_prob=0.1", "rules.mask.max_prob=0.2"], "one, or two different ones"),
        (["rules.mask.max_prob=0.1", "rules.too_short.min_s=2", "rules.frontal.strict_deg=5"], "3 settings"),
        (["rules.mask.max_prob=0:1:0.05", "rules.frontal.strict_deg=1:20:1"], "420 values"),
    ],
)
def test_settings_that_cannot_be_varied_are_refused(texts: list[str], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        _combined(*texts)


def test_a_setting_that_needs_descriptors_is_refused_where_there_are_none() -> None:
    kept_none = CurationSettings.model_validate({"privacy": {"keep_descriptors": False}})
    variation = Variation(name="rules.tracks.max_descriptor_distance", values=(0.5,))
    with pytest.raises(SettingsError, match="keeps no descriptors"):
        combinations(kept_none, kept_none, [variation], HERE)


def test_a_picture_is_refused_before_anything_is_counted_for_it(tmp_path: Path) -> None:
    require_picture(tmp_path / "x.PNG")
    for name, says in (("x.txt", "is no name of a picture"), ("none/x.png", "lies in no folder that exists")):
        with pytest.raises(UsageError, match=says):
            require_picture(tmp_path / name)
