"""Settings of the rules and of the tracks."""

from curation.decision.speaker_turns import SpeakerSettings
from curation.decision.tracks import TrackSettings
from curation.rules.cut import CutSettings
from curation.rules.frontal import FrontalSettings
from curation.rules.generated import GeneratedSettings
from curation.rules.jitter import JitterSettings
from curation.rules.mask import MaskSettings
from curation.rules.no_face import NoFaceSettings
from curation.rules.not_speaking import NotSpeakingSettings
from curation.rules.several_faces import SeveralFacesSettings
from curation.rules.silence import SilenceSettings
from curation.rules.small_face import SmallFaceSettings
from curation.rules.still_face import StillFaceSettings
from curation.rules.sync import SyncSettings
from curation.rules.too_short import TooShortSettings
from foundation.settings import Settings

__all__ = ["RulesSettings"]


class RulesSettings(Settings):
    """Settings of the rules in the order in which they are applied, and of how faces become tracks."""

    tracks: TrackSettings = TrackSettings()
    """Links from face to face over time."""
    speaker: SpeakerSettings = SpeakerSettings()
    """The face that speaks, of several."""
    generated: GeneratedSettings = GeneratedSettings()
    """A file that says that it was generated."""
    no_face: NoFaceSettings = NoFaceSettings()
    """A tick without a face."""
    several_faces: SeveralFacesSettings = SeveralFacesSettings()
    """A second face, or a change of the main face."""
    small_face: SmallFaceSettings = SmallFaceSettings()
    """A face with too few pixels."""
    cut: CutSettings = CutSettings()
    """A shot cut, which divides clips."""
    frontal: FrontalSettings = FrontalSettings()
    """A face that is turned away."""
    jitter: JitterSettings = JitterSettings()
    """A face that moves too far between ticks."""
    mask: MaskSettings = MaskSettings()
    """A mask, or anything else, over the mouth."""
    silence: SilenceSettings = SilenceSettings()
    """A pause in speech."""
    still_face: StillFaceSettings = StillFaceSettings()
    """A face that does not move, such as that of a photograph."""
    not_speaking: NotSpeakingSettings = NotSpeakingSettings()
    """A face that listens, or two that speak at once."""
    sync: SyncSettings = SyncSettings()
    """Lips and sound that do not belong together, and sound that is late or early."""
    too_short: TooShortSettings = TooShortSettings()
    """A run that is too short for a clip, or has to be split."""
