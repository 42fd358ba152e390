"""Head poses written as formulas of time, such as ``yaw=0,pitch=5*sin(2pi t/4)``; read without running any code."""

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from types import MappingProxyType

import numpy as np

from foundation.array_types import Float64Array
from foundation.errors import UsageError

__all__ = ["ANGLES", "PoseFormulaError", "formula_angles"]

ANGLES = ("pitch", "yaw", "roll")
"""In the order of the manifest's `pose_deg`."""

_LONGEST = 500
"""Characters of a text."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?P<name>[^\W\d]+)|(?P<sign>\*\*|[-+*/^(),]))"
)

_ONE: Mapping[str, Callable[[Float64Array], Float64Array]] = MappingProxyType(
    {"sin": np.sin, "cos": np.cos, "exp": np.exp, "sqrt": np.sqrt, "abs": np.abs}
)

_SEVERAL: Mapping[str, Callable[[Float64Array, Float64Array], Float64Array]] = MappingProxyType(
    {"min": np.minimum, "max": np.maximum}
)

_BINARY: Mapping[type[ast.operator], Callable[[Float64Array, Float64Array], Float64Array]] = MappingProxyType(
    {ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide, ast.Pow: np.power}
)


class PoseFormulaError(UsageError):
    """A text is no pose; the message is the part of a sentence that says why."""


def formula_angles(text: str, times_s: Float64Array) -> Float64Array:
    """Return pitch, yaw and roll at each time by a text such as ``yaw=10,pitch=5*sin(2pi t/4)``.

    A formula has numbers, ``t`` (seconds from the first frame), ``T`` (the last time and one step more, which is the
    length), ``pi``, the signs ``+ - * / ^`` and brackets, and the functions sin, cos, exp, sqrt, abs, min and max.
    The sign of a product may be left out before a name or a bracket.

    Args:
        text: formulas in degrees, divided by commas, each after the name of its angle and ``=``.
        times_s: (N,) times, evenly spaced from 0.

    Returns:
        (N, 3) degrees; an angle that is not named is 0.

    Raises:
        PoseFormulaError: it is not such a text, or a value is not finite.

    >>> formula_angles("yaw=8t, pitch=2(1+sin(2pi t/4))", np.array([0.0, 1.0])).round(6).tolist()
    [[2.0, 0.0, 0.0], [4.0, 8.0, 0.0]]
    """
    if len(text) > _LONGEST:
        raise PoseFormulaError(f"it has {len(text)} characters, and {_LONGEST} are the most")
    step_s = times_s[1] - times_s[0] if len(times_s) > 1 else 0.0
    known = {"t": times_s, "T": np.full_like(times_s, times_s[-1] + step_s), "pi": np.full_like(times_s, np.pi)}
    angles_deg = np.zeros((len(times_s), len(ANGLES)))
    seen: set[str] = set()
    for part in _parts(text):
        name, equals, formula = (piece.strip() for piece in part.partition("="))
        if not equals or name not in ANGLES:
            raise PoseFormulaError(f"{part.strip()!r} does not begin with pitch=, yaw= or roll=")
        if name in seen:
            raise PoseFormulaError(f"{name} stands in it twice")
        seen.add(name)
        with np.errstate(all="ignore"):
            values = _value(_tree(formula), known)
        if not np.isfinite(values).all():
            at_s = times_s[int(np.argmin(np.isfinite(values)))]
            raise PoseFormulaError(f"{name} has no finite value at {at_s:.2f} s")
        angles_deg[:, ANGLES.index(name)] = values
    return angles_deg


def _parts(text: str) -> Iterator[str]:
    """Yield what stands between commas that are in no brackets."""
    depth = start = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            yield text[start:place]
            start = place + 1
    yield text[start:]


def _tree(formula: str) -> ast.expr:
    """Return the syntax tree of a formula, its products written out."""
    try:
        return ast.parse(" ".join(_tokens(formula)), mode="eval").body
    except (SyntaxError, MemoryError, RecursionError) as error:  # the last two: of brackets in brackets
        raise PoseFormulaError(f"{formula!r} is no formula") from error


def _tokens(formula: str) -> Iterator[str]:
    """Yield the words of a formula, with a sign for every product, and names that are known alone."""
    place, ends_value = 0, False
    formula = formula.rstrip()
    while place < len(formula):
        token = _TOKEN.match(formula, place)
        if token is None:
            raise PoseFormulaError(f"{formula[place:].strip()[0]!r} in {formula!r} is no part of a formula")
        place, word, kind = token.end(), token.group().strip(), token.lastgroup
        is_function = word in _ONE or word in _SEVERAL
        if kind == "name" and not (is_function or word in ("t", "T", "pi")):
            raise PoseFormulaError(
                f"{word!r} in {formula!r} is not known; use t, T, pi, {', '.join([*_ONE, *_SEVERAL])}"
            )
        if ends_value and (kind == "name" or word == "("):
            yield "*"
        yield "**" if word == "^" else word
        ends_value = kind == "number" or word == ")" or (kind == "name" and not is_function)


def _value(tree: ast.expr, known: Mapping[str, Float64Array]) -> Float64Array:
    """Return the (N,) values of a syntax tree, of which only numbers, signs and functions are taken."""
    match tree:
        case ast.Constant(value=int() | float() as number):
            return np.full_like(known["t"], float(number))
        case ast.Name(id=name) if name in known:
            return known[name]
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
            value = _value(operand, known)
            return -value if isinstance(sign, ast.USub) else value
        case ast.BinOp(left=left, op=binary, right=right) if type(binary) in _BINARY:
            return _BINARY[type(binary)](_value(left, known), _value(right, known))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if arguments:
            return _called(name, [_value(argument, known) for argument in arguments])
    raise PoseFormulaError(f"{ast.unparse(tree)!r} is no formula of numbers")


def _called(name: str, values: Sequence[Float64Array]) -> Float64Array:
    """Return what a function gives."""
    if name in _ONE and len(values) == 1:
        return _ONE[name](values[0])
    if name in _SEVERAL and len(values) > 1:
        return reduce(_SEVERAL[name], values)
    raise PoseFormulaError(f"{name} takes {'several arguments' if name in _SEVERAL else 'one argument'}")
