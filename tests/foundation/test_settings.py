from pathlib import Path

import pytest
from helpers.toy_task import ToyConfig

from curation.settings import load_settings
from foundation.settings import Overrides, SettingsError, changed_settings, require_known, settings_of
from training.loop.config import TrainConfig
from training.vae.config import vae_config


def test_single_values_lie_over_the_file_and_the_file_over_the_preset(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("rate: 1e-3\ntrain: {steps: 7, batch: 8}\n")
    config = changed_settings(ToyConfig(), file, ["train.steps=9", "dropout=1e-1", "train.compile=true"])
    assert (config.rate, config.dropout) == (1e-3, 0.1)
    assert (config.train.steps, config.train.batch, config.train.compile) == (9, 8, True)
    assert config.train.micro_batch == ToyConfig().train.micro_batch


@pytest.mark.parametrize(
    "overrides",
    [
        ["rate.base=0.01", "rate.highest=0.02"],
        ["rate.highest=0.02", "rate.base=0.01"],
        {"rate.base": 0.01, "rate.highest": 0.02},
    ],
)
def test_settings_that_fit_together_are_taken_in_any_order(overrides: Overrides) -> None:
    rate = changed_settings(vae_config("tiny"), None, overrides).rate
    assert (rate.base, rate.highest) == (0.01, 0.02)


def test_settings_of_a_file_and_single_ones_are_checked_together(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("rate: {base: 0.01}\n")
    rate = changed_settings(vae_config("tiny"), file, ["rate.highest=0.02"]).rate
    assert (rate.base, rate.highest) == (0.01, 0.02)
    with pytest.raises(SettingsError, match=r"rate\.base is 0\.01 and rate\.highest 0\.002"):
        changed_settings(vae_config("tiny"), file, [])


def test_curation_settings_that_fit_together_are_taken_in_any_order() -> None:
    # alone, the first is refused: clips may have at most 30 s, and halves of longer runs need 40
    coupled = ["rules.too_short.min_s=40", "rules.too_short.max_clip_s=100"]
    for overrides in (coupled, coupled[::-1]):
        rule = load_settings("embedded", overrides=overrides).rules.too_short
        assert (rule.min_s, rule.max_clip_s) == (40, 100)
    with pytest.raises(SettingsError, match="too_short"):
        load_settings("embedded", overrides=coupled[:1])


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("train.step=9", r"'train\.step' is unknown; the nearest known one is 'train\.steps'"),
        ("train.steps=many", r"'train\.steps' is 'many'.*valid integer; allowed is whole number, at least 1"),
        ("train.steps=0", r"'train\.steps' is 0: .*greater than or equal to 1"),
        ("train.activation_checkpointing=all", r"'all': Input should be 'none', 'block' or 'selective'"),
        ("train.steps", r"write NAME=VALUE"),
        ("train.steps=[1", r"the value is no YAML"),
        ("train=9", r"give names and values"),
    ],
)
def test_wrong_setting_is_refused_by_name(override: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        changed_settings(ToyConfig(), None, [override])


def test_of_many_known_names_the_nearest_are_told_and_where_all_are_listed() -> None:
    known = [f"rules.limit_{letter}" for letter in "abcdefghijklmnopqrstuvwxy"]
    with pytest.raises(SettingsError, match=r"nearest known one is 'rules\.limit_a'") as refused:
        require_known(["rules.limit_aa"], known, "setting")
    assert "lists all 25" in str(refused.value)
    assert str(refused.value).count("rules.limit_") == 1 + 4  # the wrong one, and the four nearest
    with pytest.raises(SettingsError, match=r"\(known: b, c\)"):
        require_known(["a"], ["b", "c"], "setting")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch", 0),
        ("workers", -1),
        ("keep_every", 0),
        ("ema_decay", 1.0),
        ("max_gradient_norm", 0.0),
        ("log_every", 0),
    ],
)
def test_value_out_of_range_is_refused_with_an_allowed_one(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"^{name} is {value}; give "):
        TrainConfig(**{"steps": 1, "batch": 1, "micro_batch": 1, name: value})


def test_file_that_is_no_yaml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("train: [")
    with pytest.raises(SettingsError, match=r"--config .*bad\.yaml: cannot be read as YAML"):
        changed_settings(ToyConfig(), tmp_path / "bad.yaml", [])


def test_settings_are_plain_values() -> None:
    settings = settings_of(ToyConfig())
    assert settings["train"]["batch"] == 4
    assert settings["bad_from"] is None
