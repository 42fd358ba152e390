"""Motion for speech that is longer than the clips of training (ours; GAIA trains on up to 250 frames, appendix B.3).

Overlapping windows cover the frames. At every step of the sampler the network predicts x0 window by window, and the
predictions are blended; all frames share one state and one noise. So neighbouring windows influence each other at every
step and agree where they overlap. (Windows that are sampled independently do not: cross-faded, they lose half of the
variance there and jitter.)

Shapes: B sequences, T frames, D numbers of the target per frame.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from foundation.text import count_text
from models.sampling.samplers import X0Predictor

__all__ = ["LongAudioConfig", "Window", "blended", "windows"]

MIN_FRAMES = 5
"""Frames of the shortest clip: 0.2 s."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LongAudioConfig:
    """Length and overlap of the windows."""

    window_frames: int = 250
    """Longest window: the longest clip of training (B.3)."""
    overlap_frames: int = 50
    """Least overlap of neighbours: 2 s."""
    context_frames: int = 25
    """Frames of speech that the speech encoder is given beyond each end of a window: 1 s, as far as its
    convolutions see."""

    def __post_init__(self) -> None:
        if not 0 < self.overlap_frames < self.window_frames:
            raise ValueError(
                f"LongAudioConfig has windows of {self.window_frames} frames that overlap by {self.overlap_frames}; "
                "give an overlap above 0 and below the window, such as 50 of 250"
            )
        if self.context_frames < 0:
            raise ValueError(f"LongAudioConfig.context_frames is {self.context_frames}; give 0 or more, such as 25")


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """Frames [start, stop), predicted at once; the speech of [context_start, context_stop) is encoded for them."""

    start: int
    stop: int
    context_start: int
    context_stop: int

    @property
    def frames(self) -> slice:
        """The frames of the window among all frames."""
        return slice(self.start, self.stop)

    @property
    def context(self) -> slice:
        """The frames of the window with its context, among all frames."""
        return slice(self.context_start, self.context_stop)

    @property
    def frames_in_context(self) -> slice:
        """The frames of the window among those of its context."""
        return slice(self.start - self.context_start, self.stop - self.context_start)


def windows(n_frames: int, config: LongAudioConfig) -> tuple[Window, ...]:
    """Return the windows that cover a clip: the fewest with enough overlap, of one length, evenly spaced.

    Raises:
        ValueError: the clip is shorter than 5 frames.

    >>> [(a.start, a.stop) for a in windows(600, LongAudioConfig())]
    [(0, 250), (175, 425), (350, 600)]
    """
    if n_frames < MIN_FRAMES:
        raise ValueError(
            f"the clip has {count_text(n_frames, 'frame')} of speech; give at least {MIN_FRAMES}, which are 0.2 s"
        )
    length = min(n_frames, config.window_frames)
    hop = config.window_frames - config.overlap_frames
    n_hops = -(-(n_frames - length) // hop)
    starts = [i * (n_frames - length) // n_hops for i in range(n_hops)] + [n_frames - length]
    return tuple(
        Window(
            start=start,
            stop=start + length,
            context_start=max(start - config.context_frames, 0),
            context_stop=min(start + length + config.context_frames, n_frames),
        )
        for start in starts
    )


def blended(bind: Callable[[Window], X0Predictor], n_frames: int, config: LongAudioConfig) -> X0Predictor:
    """Return a predictor for all frames of a clip; for a clip of one window, the predictor of that window.

    Args:
        bind: returns the predictor of a window, with its conditions; called once for each window.
        n_frames: frames of the clip.
        config: the windows.
    """
    places = windows(n_frames, config)
    bound = tuple(bind(window) for window in places)
    return bound[0] if len(bound) == 1 else _Blended(places, bound)


@dataclass(frozen=True, slots=True)
class _Blended:
    """Predictor that blends those of windows by weights that fall from the middle of each to its ends."""

    places: tuple[Window, ...]
    bound: tuple[X0Predictor, ...]

    def __call__(self, noisy_BTD: Tensor, time_B: Tensor, /) -> Tensor:
        sum_BTD = torch.zeros_like(noisy_BTD)
        weight_T1 = noisy_BTD.new_zeros(noisy_BTD.shape[1], 1)
        for window, predict in zip(self.places, self.bound, strict=True):
            triangle_T1 = _triangle(window.stop - window.start).to(noisy_BTD)[:, None]
            x0_BTD = predict(noisy_BTD[:, window.frames], time_B).to(noisy_BTD.dtype)
            sum_BTD[:, window.frames] += triangle_T1 * x0_BTD
            weight_T1[window.frames] += triangle_T1
        return sum_BTD / weight_T1


def _triangle(length: int) -> Tensor:
    """Return (T,) weights 1, 2, ... to the middle and back to 1."""
    rising_T = torch.arange(1, length + 1)
    return torch.minimum(rising_T, rising_T.flip(0))
