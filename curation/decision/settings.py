"""Settings of the rules and of the tracks."""

from curation.decision.tracks import TrackSettings
from curation.rules.cut import CutSettings
from curation.rules.frontal import FrontalSettings
from curation.rules.jitter import JitterSettings
from curation.rules.mask import MaskSettings
from curation.rules.no_face import NoFaceSettings
from curation.rules.several_faces import SeveralFacesSettings
from curation.rules.silence import SilenceSettings
from curation.rules.small_face import SmallFaceSettings
from curation.rules.too_short import TooShortSettings
from foundation.settings import Settings

__all__ = ["RulesSettings"]


class RulesSettings(Settings):
    """Settings of the rules in the order in which they are applied, and of how faces become tracks."""

    tracks: TrackSettings = TrackSettings()
    no_face: NoFaceSettings = NoFaceSettings()
    several_faces: SeveralFacesSettings = SeveralFacesSettings()
    small_face: SmallFaceSettings = SmallFaceSettings()
    cut: CutSettings = CutSettings()
    frontal: FrontalSettings = FrontalSettings()
    jitter: JitterSettings = JitterSettings()
    mask: MaskSettings = MaskSettings()
    silence: SilenceSettings = SilenceSettings()
    too_short: TooShortSettings = TooShortSettings()
