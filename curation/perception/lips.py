"""The models that compare faces with the sound, each loaded when a video first needs it."""

from functools import cached_property

from curation.perception.models import load_active_speaker, load_lip_sync
from curation.perception.protocols import ActiveSpeaker, LipSync
from curation.perception.settings import PerceptionSettings

__all__ = ["LipModels"]


class LipModels:
    """The models of one worker; loading takes a second each, and many videos need none of them."""

    def __init__(self, settings: PerceptionSettings) -> None:
        """Remember what to load.

        Args:
            settings: name the models.
        """
        self._settings = settings

    @cached_property
    def sync(self) -> LipSync | None:
        """What compares lips with the sound; None where these settings have nothing that does.

        Raises:
            MissingAssetsError: weights are missing.
        """
        return load_lip_sync(self._settings)

    @cached_property
    def speaking(self) -> ActiveSpeaker | None:
        """The detector of the active speaker; None where these settings have none.

        Raises:
            MissingAssetsError: weights are missing.
        """
        return load_active_speaker(self._settings)
