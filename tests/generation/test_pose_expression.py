import re

import numpy as np
import pytest

from generation.pose_expression import PoseFormulaError, formula_angles

TIMES_S = np.arange(100) / 25.0


def test_products_may_be_written_as_in_a_book_and_other_angles_are_zero() -> None:
    angles_deg = formula_angles("yaw=0,pitch=5*sin(2pi t/4)", TIMES_S)
    assert angles_deg.shape == (100, 3)
    assert angles_deg[:, 0] == pytest.approx(5.0 * np.sin(2.0 * np.pi * TIMES_S / 4.0))
    assert not angles_deg[:, 1:].any()


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("2^3^0", 2.0),
        ("-2^2", -4.0),
        ("1/2pi", np.pi / 2.0),
        ("2(1+1)(3)", 12.0),
        ("max(1, 2, min(9, 3))", 3.0),
        ("10t/T", 10.0 * 25 / 100),
        (".5e1 sqrt(4)abs(-1)", 10.0),
        ("+exp(0) - cos(0)", 0.0),
    ],
)
def test_signs_bind_as_usual(formula: str, value: float) -> None:
    assert formula_angles(f"roll={formula}", TIMES_S)[25, 2] == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("yaw", "does not begin with pitch=, yaw= or roll="),
        ("nod=3", "does not begin with"),
        ("yaw=1,yaw=2", "yaw stands in it twice"),
        ("yaw=", "'' is no formula"),
        ("yaw=1 2", "'1 2' is no formula"),
        ("yaw=((1)", "is no formula"),
        ("yaw=" + "(" * 240 + "1" + ")" * 240, "is no formula"),
        ("yaw=t.real", "'.' in 't.real' is no part of a formula"),
        ("yaw=__import__", "'__import__' in '__import__' is not known"),
        ("yaw=open(1)", "'open' in 'open(1)' is not known; use t, T, pi, sin"),
        ("yaw=True", "'True' in 'True' is not known"),
        ("yaw=t[0]", "'[' in 't[0]' is no part"),
        ("yaw=sin", "'sin' is no formula of numbers"),
        ("yaw=sin(1,2)", "sin takes one argument"),
        ("yaw=max(1)", "max takes several arguments"),
        ("yaw=(1,2)", "'(1, 2)' is no formula of numbers"),
        ("yaw=9^9^9^9", "yaw has no finite value at 0.00 s"),
        ("yaw=1/(t-1)", "yaw has no finite value at 1.00 s"),
        ("yaw=" + "1+" * 300 + "1", "it has 605 characters, and 500 are the most"),
    ],
)
def test_what_is_no_formula_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(PoseFormulaError, match=re.escape(message)):
        formula_angles(text, TIMES_S)
