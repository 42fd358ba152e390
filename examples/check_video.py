"""Check that a generated video plays: 25 frames a second, as many as the speech is long, with audio.

python examples/check_video.py VIDEO SPEECH
"""

import sys
from fractions import Fraction

import av

from manifests import TICK_RATE_HZ


def main() -> None:
    """Decode all of the video; exit with 1 where it is not what it should be."""
    video, speech = sys.argv[1:]
    with av.open(speech) as opened:
        samples = sum(frame.samples for frame in opened.decode(audio=0))
        expected = max(1, round(Fraction(samples, opened.streams.audio[0].rate) * TICK_RATE_HZ))
    with av.open(video) as opened:
        stream, audio = opened.streams.video[0], opened.streams.audio[0]
        rate = Fraction(stream.average_rate or 0)  # now: PyAV 19 has no answer once the file is closed
        facts = f"{stream.codec_context.name} at {float(rate):g} fps, {audio.codec_context.name}"
        n_frames = sum(1 for _ in opened.decode(stream))
    sys.stdout.write(f"{video}: {n_frames} frames of {facts}; the speech asks for {expected}\n")
    sys.exit(0 if n_frames == expected and rate == TICK_RATE_HZ else 1)


if __name__ == "__main__":
    main()
