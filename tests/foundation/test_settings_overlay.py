from dataclasses import dataclass, field
from typing import Literal

import pytest

from foundation.settings import SettingsError, overlaid


@dataclass(frozen=True, kw_only=True, slots=True)
class _Lens:
    focal_mm: float = 50.0
    mount: Literal["screw", "bayonet"] = "screw"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Camera:
    shots: int = 36
    flash: bool = False
    name: str = "box"
    film: str | None = None
    size_px: tuple[int, int] = (640, 480)
    filters: tuple[str, ...] = ()
    lens: _Lens = field(default_factory=_Lens)

    def __post_init__(self) -> None:
        if self.shots < 1:
            raise ValueError(f"shots is {self.shots}; give 1 or more")


def test_given_values_replace_and_the_others_stay() -> None:
    base = _Camera(shots=12, lens=_Lens(mount="bayonet"))
    values = {"flash": True, "film": "b/w", "size_px": [8, 6], "filters": ["red"], "lens": {"focal_mm": 35}}
    assert overlaid(base, values, "camera") == _Camera(
        shots=12,
        flash=True,
        film="b/w",
        size_px=(8, 6),
        filters=("red",),
        lens=_Lens(focal_mm=35.0, mount="bayonet"),
    )
    assert overlaid(_Camera(film="b/w"), {"film": None}, "camera").film is None
    assert overlaid(base, {}, "camera") == base


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"shot": 1}, r"camera: setting 'shot' is unknown; the nearest known one is 'shots'"),
        ({"lens": {"focal": 1.0}}, r"'lens.focal' is unknown; the nearest known one is 'lens.focal_mm'"),
        ({"lens": {"mount": "glue"}}, r"'lens.mount' is 'glue': Input should be 'screw' or 'bayonet'"),
        ({"lens": 5}, r"camera: setting 'lens' is 5; give names and values"),
        ({"shots": "many"}, r"'shots' is 'many': Input should be a valid integer"),
        ({"shots": True}, r"'shots' is True: Input should be a valid integer"),
        ({"shots": 1.5}, r"'shots' is 1.5: Input should be a valid integer"),
        ({"flash": 1}, r"'flash' is 1: Input should be a valid boolean"),
        ({"name": None}, r"'name' is None: Input should be a valid string"),
        ({"size_px": [1, 2, 3]}, r"'size_px' is \[1, 2, 3\]"),
        ({"size_px": [1, "2"]}, r"'size_px.1' is '2': Input should be a valid integer"),
        ({"shots": 0}, r"camera: _Camera: shots is 0; give 1 or more"),
        ({"lens": {"focal_mm": float("inf")}}, r"'lens.focal_mm' is inf; give a finite number"),
        (None, r"camera: None; give names and values"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(values: object, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        overlaid(_Camera(), values, "camera")
