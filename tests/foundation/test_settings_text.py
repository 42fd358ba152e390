from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

import pytest
import yaml
from pydantic import Field

from foundation.settings import Section, Settings, changed_settings, overlaid
from foundation.settings_text import settings_markdown, settings_text, settings_yaml


class Inner(Settings):
    reach_px: Annotated[float, Field(gt=0.0, le=8.0)] = 2.5
    """How far | how wide."""


class Outer(Settings):
    inner: Inner = Inner()
    wait_s: int = Field(default=3, ge=1)
    """How long
    to wait."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lens(Section):
    focal_mm: Annotated[float, Field(gt=0.0)] | None = None
    """Focal length."""
    mount: Literal["screw", "bayonet"] = "screw"
    """Mount."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Camera(Section):
    lens: Lens = field(default_factory=Lens)
    size_px: tuple[int, int] = (640, 480)
    """Width and height."""
    rate: float = 1e-6
    """Rate."""


def test_a_row_of_a_table_has_name_default_unit_bounds_and_meaning() -> None:
    assert settings_markdown(Outer(), {}).splitlines()[2:] == [
        r"| `inner.reach_px` | `2.5` | px | number, above 0, at most 8 | How far \| how wide. |",
        "| `wait_s` | `3` | s | whole number, at least 1 | How long to wait. |",
    ]


def test_a_table_shows_the_defaults_of_other_presets_where_they_differ() -> None:
    others = {"slow": Outer(wait_s=9), "far": Outer(inner=Inner(reach_px=8.0))}
    rows = settings_markdown(Outer(), others).splitlines()[2:]
    assert [row.split(" | ")[1] for row in rows] == ["`2.5`; far: `8.0`", "`3`; slow: `9`"]


def test_a_table_of_a_section_has_its_settings_alone() -> None:
    assert [row.split(" | ")[0] for row in settings_markdown(Outer(), {}, "inner").splitlines()[2:]] == [
        "| `inner.reach_px`"
    ]
    with pytest.raises(ValueError, match="no section of settings 'blink'"):
        settings_markdown(Outer(), {}, "blink")


def test_the_list_has_value_default_allowed_values_and_meaning_and_marks_changes() -> None:
    changed = overlaid(Camera(), {"lens": {"mount": "bayonet"}}, "test")
    assert settings_text(changed, Camera(), 80).splitlines() == [
        "  lens.focal_mm: null",
        "    default null; number, above 0, or null",
        "    Focal length.",
        "* lens.mount: bayonet",
        "    default screw; 'screw' or 'bayonet'",
        "    Mount.",
        "  size_px: [640, 480]",
        "    default [640, 480]; list of 2, each whole number; px",
        "    Width and height.",
        "  rate: 1e-06",
        "    default 1e-06; number",
        "    Rate.",
    ]


@pytest.mark.parametrize("width", [80, 120])
def test_the_list_fits_the_terminal(width: int) -> None:
    text = settings_text(Camera(), Camera(), width)
    assert max(map(len, text.splitlines())) <= width


def test_the_yaml_file_gives_the_same_settings_again(tmp_path_factory: pytest.TempPathFactory) -> None:
    for number, settings in enumerate((Camera(lens=Lens(focal_mm=35.0), rate=2e-7), Outer(wait_s=5))):
        file = tmp_path_factory.mktemp("settings") / f"{number}.yaml"
        file.write_text(settings_yaml(settings))
        assert changed_settings(type(settings)(), file) == settings
    assert yaml.safe_load(settings_yaml(Camera()))["size_px"] == [640, 480]


def test_a_value_out_of_range_is_refused_when_a_section_is_built() -> None:
    with pytest.raises(ValueError, match=r"^focal_mm is 0\.0; give number, above 0, or null$"):
        replace(Lens(), focal_mm=0.0)
    with pytest.raises(ValueError, match="focal_mm is nan"):
        Lens(focal_mm=float("nan"))
