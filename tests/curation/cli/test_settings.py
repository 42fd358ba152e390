import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from curation.cli.app import app
from curation.settings import PRESETS, load_settings
from foundation.setting_facts import setting_facts
from foundation.settings import settings_of


def _printed(*arguments: str, columns: int = 80) -> str:
    done = CliRunner().invoke(app, ["settings", *arguments], env={"COLUMNS": str(columns)})
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("columns", [80, 120])
def test_every_setting_is_printed_within_the_terminal(columns: int) -> None:
    printed = _printed(columns=columns)
    assert re.findall(r"^[ *] ([\w.]+): ", printed, re.MULTILINE) == list(setting_facts(type(PRESETS["paper"])))
    assert max(map(len, printed.splitlines())) <= columns
    assert "*" not in re.findall(r"^[ *]", printed, re.MULTILINE)


def test_a_changed_setting_is_marked_and_shows_both_values() -> None:
    printed = _printed("--preset", "embedded", "--set", "rules.frontal.strict_deg=12")
    assert re.findall(r"^\* (.*)$", printed, re.MULTILINE) == ["rules.frontal.strict_deg: 12.0"]
    assert "    default 35.0; number, above 0, at most 180; degrees\n" in printed


def test_the_settings_that_a_layout_brings_are_marked() -> None:
    printed = _printed("--layout", "voxceleb2")
    assert re.findall(r"^\* (.*)$", printed, re.MULTILINE) == [
        "rules.small_face.strict_px: 80.0",
        "rules.small_face.loose_px: 64.0",
    ]
    assert "*" not in re.findall(r"^[ *]", _printed("--layout", "hdtf"), re.MULTILINE)


@pytest.mark.parametrize("preset", ["embedded", "paper"])
def test_the_yaml_is_a_file_that_config_reads(preset: str, tmp_path: Path) -> None:
    changes = ("--set", "crop.size_px=128", "--set", "perception.mask=embedded")
    file = tmp_path / "settings.yaml"
    file.write_text(_printed("--preset", preset, *changes, "--yaml"))
    base = PRESETS["paper" if preset == "paper" else "embedded"]
    settings = load_settings(base, file)
    assert settings == load_settings(base, None, ["crop.size_px=128", "perception.mask=embedded"])
    assert _printed("--preset", preset, "--config", str(file), "--yaml") == file.read_text()
    assert yaml.safe_load(file.read_text()) == settings_of(settings)


def test_an_unknown_setting_ends_with_exit_code_2_and_the_nearest_name() -> None:
    done = CliRunner().invoke(app, ["settings", "--set", "crop.size=1"])
    assert done.exit_code == 2
    assert "'crop.size' is unknown; the nearest known one is 'crop.size_px'" in done.output


def test_settings_load_no_model_runtime(tmp_path: Path) -> None:
    program = (
        "import sys; sys.argv = ['gaia-curate', 'settings']\nfrom curation.cli.app import app\n"
        "app(standalone_mode=False)\nassert not {'torch', 'ray', 'cv2', 'scipy', 'onnxruntime'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
