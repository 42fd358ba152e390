"""The sound of a clip that is moved is the source's, to the sample."""

from fractions import Fraction

import numpy as np
import pytest
from helpers.made_videos import Sound, counted_picture, frame_times, write_video

from curation.decision.decide import ClipPlan
from curation.media.audio import tick_audio
from curation.media.probe import VideoInfo, probe
from curation.rendering.clip_sound import clip_audio


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> VideoInfo:
    """A video of 4 s whose every sample of sound is another."""
    noise = np.random.default_rng(5).uniform(-0.5, 0.5, 4 * 16_000).astype(np.float32)
    path = tmp_path_factory.mktemp("sound") / "noise.mkv"
    times_s = frame_times(Fraction(25), 100)
    picture = counted_picture(1, 64, 64)
    sound = Sound(samples=noise, rate_hz=16_000, codec="flac")
    return probe(write_video(path, times_s, [picture] * 100, sound=sound))


@pytest.mark.parametrize("lag", [0, 1, 639, 640, 1000, -1, -640, -1777])
def test_a_clip_has_the_samples_that_lie_as_many_later(lag: int, noisy: VideoInfo) -> None:
    whole = tick_audio(noisy, 0, 100)
    assert whole is not None
    plan = ClipPlan(first_tick=20, end_tick=80, tier="vae", sound_lag_samples=lag)
    heard = clip_audio(noisy, plan)
    assert heard is not None
    np.testing.assert_array_equal(heard, whole[20 * 640 + lag : 80 * 640 + lag])
    assert np.unique(heard).size > 20_000


def test_beyond_the_ends_of_the_video_there_is_silence(noisy: VideoInfo) -> None:
    whole = tick_audio(noisy, 0, 100)
    assert whole is not None
    late = clip_audio(noisy, ClipPlan(first_tick=0, end_tick=100, tier="vae", sound_lag_samples=1000))
    early = clip_audio(noisy, ClipPlan(first_tick=0, end_tick=100, tier="vae", sound_lag_samples=-1000))
    np.testing.assert_array_equal(late, np.r_[whole[1000:], np.zeros(1000)])
    np.testing.assert_array_equal(early, np.r_[np.zeros(1000), whole[:-1000]])
