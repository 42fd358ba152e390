"""Comparison of a measured video's faces with its sound, as the settings ask for it."""

from collections.abc import Sequence

from curation.analysis.lips_and_sound import ShapesOf
from curation.analysis.speakers import with_speakers
from curation.decision.possible_speakers import possible_speakers
from curation.evidence.measures import Evidence
from curation.media.probe import VideoInfo
from curation.perception.lips import LipModels
from curation.rules.rule import Rule
from curation.settings import CurationSettings

__all__ = ["compared"]


def compared(
    info: VideoInfo,
    evidence: Evidence,
    models: LipModels,
    shapes_of: ShapesOf,
    settings: CurationSettings,
    rules: Sequence[Rule] = (),
) -> Evidence:
    """Return the evidence of a complete video with what its faces have to do with its sound.

    Args:
        info: what was probed of it.
        evidence: all that was measured of it before.
        models: those of the settings.
        shapes_of: returns landmarks and blendshapes of faces.
        settings: which models, and the rules by which stretches are chosen.
        rules: rules of the user's own.

    Raises:
        MediaError: the file cannot be opened any more.
        MissingAssetsError: weights are missing.
        RuleError: a rule of the user's own raised.
    """
    perception = settings.perception
    if evidence.speech_prob is None or (perception.sync == "none" and perception.speaking == "none"):
        return evidence
    stretches = possible_speakers(
        evidence,
        settings.rules,
        rules,
        identity=perception.identity,
        face_ratio=settings.crop.face_ratio,
        tiers=settings.tiers,
    )
    return with_speakers(
        info, evidence, stretches, models, shapes_of=shapes_of, media=settings.media, sync=settings.rules.sync
    )
