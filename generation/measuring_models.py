"""The models that curated a run's training data, each loaded when it is first used and kept for the videos after it."""

from functools import cached_property

import torch

from curation.perception.models import Perception, load_face_finder, load_head_pose, load_perception
from curation.settings import CurationSettings
from curation.speech.models import SpeechModels, load_speech
from generation.pose_check import HeadMeter
from models.text_encoder import TextEncoder

__all__ = ["MeasuringModels"]


class MeasuringModels:
    """Models of perception and speech by the settings of a dataset."""

    def __init__(self, settings: CurationSettings) -> None:
        """Load nothing yet.

        Args:
            settings: those of the dataset.
        """
        self._settings = settings
        self._text_encoders: dict[str, TextEncoder] = {}

    def load(self, *, speech: bool, videos: bool) -> None:
        """Load those for portraits now, and those for speech and for videos where such are used."""
        for name, used in (("heads", True), ("speech", speech), ("perception", videos)):
            if used:
                getattr(self, name)

    @cached_property
    def heads(self) -> HeadMeter:
        """What finds faces and measures heads."""
        settings = self._settings.perception
        return HeadMeter(finder=load_face_finder(settings), poses=load_head_pose(settings))

    @cached_property
    def perception(self) -> Perception:
        """All that measures videos."""
        return load_perception(self._settings.perception)

    def text_encoder(self, model: str, device: torch.device) -> TextEncoder:
        """What encodes instructions.

        Args:
            model: its folder or name.
            device: where to compute.

        Raises:
            TextEncoderError: it is not on this machine, or is none of CLIP.
        """
        if model not in self._text_encoders:
            self._text_encoders[model] = TextEncoder(model, device)
        return self._text_encoders[model]

    @cached_property
    def speech(self) -> SpeechModels:
        """What cleans and encodes speech."""
        return load_speech(self._settings.speech.without_transcript)
