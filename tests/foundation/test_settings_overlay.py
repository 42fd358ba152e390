from dataclasses import dataclass, field
from typing import Literal

import pytest

from foundation.settings import ConfigError, overlaid


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
        ({"shot": 1}, r"camera.shot is unknown; did you mean 'shots'\?"),
        ({"lens": {"focal": 1.0}}, r"camera.lens.focal is unknown; did you mean 'focal_mm'\?"),
        ({"lens": {"mount": "glue"}}, r"camera.lens.mount is 'glue'; give one of 'screw', 'bayonet'"),
        ({"lens": 5}, r"camera.lens is 5; give names and values"),
        ({"shots": "many"}, r"camera.shots is 'many'; give a value of type int"),
        ({"shots": True}, r"camera.shots is True; give a value of type int"),
        ({"shots": 1.5}, r"camera.shots is 1.5; give a value of type int"),
        ({"flash": 1}, r"camera.flash is 1; give a value of type bool"),
        ({"name": None}, r"camera.name is None; give a value of type str"),
        ({"size_px": [1, 2, 3]}, r"camera.size_px is \[1, 2, 3\]"),
        ({"size_px": [1, "2"]}, r"camera.size_px\[1\] is '2'; give a value of type int"),
        ({"shots": 0}, r"camera: shots is 0; give 1 or more"),
        (None, r"camera is None; give names and values"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(values: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        overlaid(_Camera(), values, "camera")
