"""Settings that are varied: their values, read from text, and the settings of each combination of values."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

import yaml

from curation.settings import CurationSettings, equally_measured, load_settings
from foundation.settings import Setting, SettingsError, require_known, setting_leaves, settings_of

__all__ = ["Combination", "Variation", "combinations", "variation_of"]

_MOST_VALUES = 200
"""Values of one setting, and combinations of two: more of them make no readable table."""

_LARGEST, _FINEST = Decimal("1e15"), Decimal("1e-15")
"""Numbers beyond are no limit of anything, and ones with millions of digits would fill the memory."""

_COUNTS = ("rules.", "crop.face_ratio")
"""Settings that decide what is kept."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Variation:
    """A setting and the values that it is given, in their order."""

    name: str
    values: tuple[Setting, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Combination:
    """One value of each varied setting."""

    values: tuple[Setting, ...]
    """In the order of the variations."""
    settings: CurationSettings | None
    """All settings; None where the values are not allowed together."""
    refusal: str | None = None
    """Why they are not."""


def variation_of(text: str) -> Variation:
    """Return the setting and the values that a text names.

    Args:
        text: ``NAME=FIRST:LAST:STEP``, both ends included, or ``NAME=VALUE,VALUE``.

    Raises:
        SettingsError: the text has another form, or too many values.

    >>> variation_of("rules.frontal.strict_deg=5:20:7.5")
    Variation(name='rules.frontal.strict_deg', values=(5, 12.5, 20))
    >>> variation_of("rules.sync.drop=nothing,not_in_sync").values
    ('nothing', 'not_in_sync')
    """
    name, equals, given = (part.strip() for part in text.partition("="))
    if not name or not equals or not given:
        raise SettingsError(f"--vary {text!r} has no values; give NAME=FIRST:LAST:STEP or NAME=VALUE,VALUE")
    if ":" in given:
        return Variation(name=name, values=_range(text, given))
    values = tuple(_value(text, part) for part in given.split(","))
    if len(set(map(str, values))) < len(values):
        raise SettingsError(f"--vary {text!r} names a value twice; name it once")
    return Variation(name=name, values=values)


def _range(text: str, given: str) -> tuple[Setting, ...]:
    parts = given.split(":")
    if len(parts) != 3:
        raise SettingsError(f"--vary {text!r} is no range; give NAME=FIRST:LAST:STEP, such as 5:40:5")
    first, last, step = (_decimal(text, part.strip()) for part in parts)
    if not step or (last - first) / step < 0:
        raise SettingsError(f"--vary {text!r}: steps of {step} do not lead from {first} to {last}; give another step")
    n_values = int((last - first) / step) + 1
    if n_values > _MOST_VALUES:
        raise SettingsError(f"--vary {text!r} has {n_values} values; give a larger step, at most {_MOST_VALUES} values")
    return tuple(_plain(first + number * step) for number in range(n_values))


def _decimal(text: str, part: str) -> Decimal:
    try:
        number = Decimal(part)
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite():
        raise SettingsError(f"--vary {text!r}: {part!r} is no number; give NAME=FIRST:LAST:STEP, such as 5:40:5")
    return _of_usual_size(text, number)


def _of_usual_size(text: str, number: Decimal) -> Decimal:
    if number and not _FINEST <= number.copy_abs() <= _LARGEST:
        raise SettingsError(f"--vary {text!r}: {number} is too large or too small; give a usual number, such as 5")
    return number


def _plain(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() else float(number)


def _value(text: str, part: str) -> Setting:
    part = part.strip()
    if _NUMBER.fullmatch(part):
        return _plain(_decimal(text, part))
    try:
        value = yaml.safe_load(part)
    except yaml.YAMLError:
        value = None
    if not isinstance(value, str | bool):
        raise SettingsError(f"--vary {text!r}: {part!r} is no single value; give numbers or words, such as 5,10,20")
    return value


def combinations(
    base: CurationSettings, before: CurationSettings, variations: Sequence[Variation], dataset: Path
) -> list[Combination]:
    """Return the settings of every combination of values.

    Args:
        base: settings to vary.
        before: those of the dataset.
        variations: one setting, or two.
        dataset: for messages.

    Raises:
        SettingsError: a setting is unknown or does not decide what is kept; it is no one or two settings, or one twice;
            or a value is allowed in no combination.
    """
    names = [variation.name for variation in variations]
    if not 1 <= len(names) <= 2 or len(set(names)) < len(names):
        raise SettingsError(f"{len(names)} settings are varied ({', '.join(names)}); vary one, or two different ones")
    known = [name for name, _ in setting_leaves(settings_of(base))]
    require_known(names, known, "setting")
    for name in names:
        if not name.startswith(_COUNTS):
            raise SettingsError(f"{name} does not decide what is kept; vary a setting of the rules, or crop.face_ratio")
    pairs = list(itertools.product(*(variation.values for variation in variations)))
    if len(pairs) > _MOST_VALUES:
        raise SettingsError(f"the grid has {len(pairs)} values; give larger steps, at most {_MOST_VALUES}")
    made = [_combination(base, before, names, values, dataset) for values in pairs]
    for place, variation in enumerate(variations):
        for value in variation.values:
            own = [one for one in made if one.values[place] == value]
            if all(one.settings is None for one in own):
                raise SettingsError(f"--vary {variation.name}: {own[0].refusal}")
    return made


def _combination(
    base: CurationSettings,
    before: CurationSettings,
    names: Sequence[str],
    values: tuple[Setting, ...],
    dataset: Path,
) -> Combination:
    try:
        settings = load_settings(base, None, dict(zip(names, values, strict=True)))
    except SettingsError as error:
        return Combination(values=values, settings=None, refusal=str(error))
    equally_measured(settings, before, dataset)
    return Combination(values=values, settings=settings)
