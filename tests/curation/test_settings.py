from pathlib import Path

import pytest

from curation.settings import CurationSettings, SettingsError, differences, load_settings


def test_overrides_beat_the_file_and_the_file_beats_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("rules:\n  frontal:\n    strict_deg: 11\n    loose_deg: 33\n")
    settings = load_settings(CurationSettings(), file, ["rules.frontal.strict_deg=12.5"])
    assert settings.rules.frontal.strict_deg == 12.5
    assert settings.rules.frontal.loose_deg == 33.0
    assert settings.rules.jitter == CurationSettings().rules.jitter


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("rules.frontal.strict_degs=15", r"'rules\.frontal\.strict_degs' is unknown.*'rules\.frontal\.strict_deg'"),
        ("rule.frontal.strict_deg=15", r"'rule' is unknown"),
        ("rules.frontal.strict_deg=-1", r"rules\.frontal\.strict_deg' is -1.*greater than 0"),
        ("rules.frontal.strict_deg=wide", r"rules\.frontal\.strict_deg' is 'wide'.*valid number"),
        ("rules.frontal.strict_deg", "write NAME=VALUE"),
        ("rules.frontal.strict_deg=.nan", "finite"),
        ("perception.faces=yolo", r"perception\.faces' is 'yolo'.*'scrfd', 'mediapipe' or 'dlib'"),
        ("rules.frontal.strict_deg=90", "strict allows less"),
        ("crop.size_px=255", "multiple of 2"),
        ("tiers=[]", r"'tiers' is \[\].*at least 1"),
        ("tiers=diffusion", r"'tiers' is 'diffusion'.*list, each diffusion or vae"),
        ("tiers=[vae, vae]", "named twice"),
    ],
)
def test_a_wrong_setting_names_itself_its_value_and_what_is_allowed(override: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load_settings(CurationSettings(), None, [override])


@pytest.mark.parametrize("text", ["rules: [", "- a\n- b\n", "rules:\n  frontal: 3\n"])
def test_a_file_that_is_no_mapping_of_settings_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError):
        load_settings(CurationSettings(), file, [])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.yaml"):
        load_settings(CurationSettings(), tmp_path / "none.yaml", [])


def test_an_unknown_preset_and_overrides_that_are_one_text_are_refused() -> None:
    with pytest.raises(SettingsError, match="preset 'papers' is unknown; the nearest known one is 'paper'"):
        load_settings("papers")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=r"overrides are 'crop.size_px=128'; give a list"):
        load_settings("embedded", overrides="crop.size_px=128")


def test_an_override_without_a_value_is_answered_with_a_setting_of_this_command() -> None:
    with pytest.raises(SettingsError, match=r"write NAME=VALUE, such as storage\.shard_gib=1\.0$"):
        load_settings("embedded", overrides=["crop.size_px"])


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("# nothing\n")
    assert load_settings(CurationSettings(), file, []) == CurationSettings()


def test_differences_name_the_settings_and_both_values() -> None:
    ours = load_settings(CurationSettings(), None, ["rules.frontal.strict_deg=15"])
    before = CurationSettings().rules.frontal.strict_deg
    assert differences(ours, CurationSettings()) == [f"rules.frontal.strict_deg: 15.0, was {before}"]


def test_every_setting_is_described() -> None:
    def undescribed(model: type, prefix: str = "") -> list[str]:
        missing = []
        for name, field in model.model_fields.items():
            if hasattr(field.annotation, "model_fields"):
                missing += undescribed(field.annotation, f"{prefix}{name}.")
            elif not field.description:
                missing.append(prefix + name)
        return missing

    assert undescribed(CurationSettings) == []


def test_what_is_asked_for_goes_before_what_a_layout_brings(tmp_path: Path) -> None:
    brought = load_settings("embedded", layout="voxceleb2").rules.small_face
    assert (brought.strict_px, brought.loose_px) == (80.0, 64.0)
    file = tmp_path / "limits.yaml"
    file.write_text("rules: {small_face: {loose_px: 70}}")
    changed = load_settings("embedded", file, ["rules.small_face.strict_px=90"], layout="voxceleb2").rules.small_face
    assert (changed.strict_px, changed.loose_px) == (90.0, 70.0)
    assert load_settings("embedded", layout="folder") == load_settings("embedded")


def test_without_tier_diffusion_no_model_is_in_use_that_only_it_needs() -> None:
    shown = load_settings("paper", overrides=["tiers=[vae]"]).in_use
    assert (shown.perception.sync, shown.perception.speaking) == ("none", "none")
    assert (shown.speech.denoiser, shown.speech.encoder) == ("none", "none")
    spoken = load_settings("paper", overrides=["tiers=[diffusion]"])
    assert spoken.in_use == spoken
    assert load_settings("paper", overrides=["tiers=[vae, diffusion]"]).tiers == ("diffusion", "vae")
