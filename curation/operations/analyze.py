"""Measurement of one video in memory, without a dataset."""

from pathlib import Path

from curation.analysis.lips_and_sound import shapes_in
from curation.analysis.ranges import analyze_audio_of, analyze_ranges
from curation.analysis.speaking_track import with_heard_track
from curation.engine.comparison import compared
from curation.engine.sound_first import looked_at
from curation.evidence.measures import Evidence
from curation.media.decoders import probe_for
from curation.media.errors import MediaError
from curation.output.provenance import with_identity
from curation.perception.lips import LipModels
from curation.perception.models import identity_at_hand, load_perception, perception_assets
from curation.settings import CurationSettings
from curation.sources.discover import discover
from curation.sources.entries import SourceError
from curation.sources.scratch import ScratchSettings, readable
from curation.sources.trims import requested_ticks
from foundation.weights import ensure_assets

__all__ = ["analyze"]


def analyze(video: str | Path, settings: CurationSettings, *, scratch: ScratchSettings | None = None) -> Evidence:
    """Measure a complete video in this process and return the evidence, the input of `decide`.

    Faces are compared with the sound where a clip of tier `diffusion` is possible by the rules of the settings. Loads
    the models; weights that are missing are fetched. Memory grows with the length of the video: about 10 kB a
    tick of 1/25 s.

    Args:
        video: a file, or the address of one.
        settings: which models measure, and how.
        scratch: where a remote video is copied to.

    Raises:
        SourceError: there is no such file, or it is more than one.
        MediaError: the video cannot be decoded.
        MissingAssetsError: weights are missing and cannot be fetched.
    """
    found = discover(str(video), whole=False).videos
    if len(found) != 1:
        raise SourceError(f"{video}: {len(found)} videos; give one file")
    if found[0].read_error is not None:
        raise MediaError("unreachable" if found[0].unreachable else "unreadable", found[0].read_error)
    perception = with_identity(settings, identity_at_hand(settings.perception)).perception
    ensure_assets(perception_assets(perception))
    models = load_perception(perception)
    with readable(found[0], scratch or ScratchSettings()) as path:
        info = with_heard_track(probe_for(path, settings.media), models.voice, settings.media)
        stretches = requested_ticks((), info)
        sound = analyze_audio_of(info, models, stretches)
        looks = looked_at(sound, stretches, info.n_ticks, settings)
        seen = analyze_ranges(info, models, stretches, sound, looks, settings.media)
        chosen = settings.model_copy(update={"perception": perception}).in_use
        return compared(info, seen, LipModels(chosen.perception), shapes_in(seen.faces), chosen)
