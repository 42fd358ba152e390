import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from foundation.setting_facts import setting_facts
from foundation.settings import changed_settings
from training.cli.app import app
from training.diffusion.config import diffusion_config
from training.presets import PresetName, SizeName
from training.vae.config import vae_config

CONFIGS = {"vae": vae_config, "diffusion": diffusion_config}


def _printed(*arguments: str, columns: int = 80) -> str:
    done = CliRunner().invoke(app, ["settings", *arguments], env={"COLUMNS": str(columns)})
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("trainer", ["vae", "diffusion"])
@pytest.mark.parametrize("columns", [80, 120])
def test_every_setting_is_printed_within_the_terminal(trainer: str, columns: int) -> None:
    printed = _printed(trainer, columns=columns)
    names = re.findall(r"^[ *] ([\w.]+): ", printed, re.MULTILINE)
    assert names == list(setting_facts(type(CONFIGS[trainer]("small"))))
    assert {"train.ranks_per_copy", "train.compile", "train.keep_newest"} < set(names)
    assert max(map(len, printed.splitlines())) <= columns


@pytest.mark.parametrize("trainer", ["vae", "diffusion"])
def test_every_setting_is_described(trainer: str) -> None:
    facts = setting_facts(type(CONFIGS[trainer]("small")))
    assert [name for name, setting in facts.items() if not setting.meaning] == []


@pytest.mark.parametrize("trainer", ["vae", "diffusion"])
@pytest.mark.parametrize(("size", "preset"), [("tiny", "recommended"), ("base", "paper")])
def test_the_yaml_is_a_file_that_config_reads(trainer: str, size: SizeName, preset: PresetName, tmp_path: Path) -> None:
    options = (trainer, "--size", size, "--preset", preset)
    file = tmp_path / "settings.yaml"
    file.write_text(_printed(*options, "--set", "train.seed=7", "--yaml"))
    base = CONFIGS[trainer](size, preset)
    assert changed_settings(base, file) == changed_settings(base, None, ["train.seed=7"]) != base
    assert _printed(*options, "--config", str(file), "--yaml") == file.read_text()


def test_a_changed_setting_is_marked() -> None:
    printed = _printed("vae", "--set", "train.keep_newest=5")
    assert re.findall(r"^\* (.*)$", printed, re.MULTILINE) == ["train.keep_newest: 5"]


def test_settings_and_help_load_no_torch(tmp_path: Path) -> None:
    for arguments in (["settings", "diffusion"], ["--help"], ["vae", "--help"]):
        program = (
            f"import sys; sys.argv = ['gaia-train', *{arguments!r}]\nfrom training.cli.app import app\n"
            "try: app(standalone_mode=False)\nfinally: assert 'torch' not in sys.modules"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
