"""Check that a generated video plays: 25 pictures a second, as many as the speech asks for, with sound.

python examples/check_video.py VIDEO SPEECH
"""

import sys
from pathlib import Path

import av

from curation.media.audio import file_audio
from manifests.timeline import tick_count


def main() -> None:
    """Decode all of the video; exit with 1 where it is not what it should be."""
    video, speech = Path(sys.argv[1]), Path(sys.argv[2])
    heard = file_audio(speech)
    wanted = 0 if heard is None else tick_count(heard.duration_s)
    with av.open(str(video)) as opened:
        shown, sound = opened.streams.video[0], opened.streams.audio[0]
        facts = f"{shown.codec_context.name} at {shown.average_rate} fps, {sound.codec_context.name}"
        n_frames = sum(1 for _ in opened.decode(shown))
    sys.stdout.write(f"{video}: {n_frames} frames of {facts}; the speech asks for {wanted}\n")
    sys.exit(0 if n_frames == wanted and shown.average_rate == 25 else 1)


if __name__ == "__main__":
    main()
