"""Learning rates by step, counted from 0 (GAIA appendix B.1)."""

import math

__all__ = ["constant", "inverse_square_root"]


def constant(step: int, rate: float, warmup_steps: int = 0) -> float:
    """Return a constant rate, after a linear warm-up of `warmup_steps` steps.

    >>> constant(0, 4.5e-6), constant(10**6, 4.5e-6)
    (4.5e-06, 4.5e-06)
    >>> [constant(step, 1.0, warmup_steps=4) for step in range(5)]
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """
    return rate * min(1.0, (step + 1) / warmup_steps) if warmup_steps else rate


def inverse_square_root(step: int, rate: float, warmup_steps: int, *, rising: bool = True) -> float:
    """Return a rate that falls with the inverse square root of the step (Vaswani et al., 2017).

    Appendix B.1: "starts from 1e-4 and follows the inverse square root schedule".

    Args:
        step: number of the step, from 0; the formula counts from 1.
        rate: the highest one, of step `warmup_steps`.
        warmup_steps: steps after which it falls.
        rising: whether it warms up linearly before; otherwise it is `rate` until then, to the letter of the paper.

    >>> [round(inverse_square_root(s - 1, 1e-4, 8000) * 1e8, 6) for s in (1, 4000, 8000, 32_000, 128_000)]
    [1.25, 5000.0, 10000.0, 5000.0, 2500.0]
    """
    number = step + 1
    before = number / warmup_steps if rising else 1.0
    return rate * min(before, math.sqrt(warmup_steps / number))
