"""Preview images of the motion diffusion model: a clip with its true motion and with generated motions.

Shapes: T frames, D numbers of the target, C channels, H rows, W columns.
"""

import copy
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from foundation.array_types import RgbImage
from models.motion.diffusion import MotionDiffusion
from models.motion.face_landmarks import LandmarkStandard
from models.pixels import to_float, to_uint8
from models.sampling.guidance import GUIDANCE
from models.sampling.sample_motion import MotionSampling, sample_motion
from models.sampling.samplers import SeededNoise
from models.sampling.sde import VpSde
from models.vae.landmark_image import LandmarkImageConfig, LandmarkRenderer
from models.vae.vae import Vae
from training.data.clips import ClipError, ClipReader, DamagedDataError
from training.data.selection import ClipIndex
from training.diffusion.sequences import Excerpt, MotionSequences

__all__ = ["MotionPreviews"]

_COLUMNS = 8
"""Frames in a preview, evenly spread over the excerpt."""

_MOST_FRAMES = 100
"""Longest excerpt: 4 s."""

_SEED = 0
"""Seed of the noise, the same for both speeches and in all previews of a run."""


class MotionPreviews:
    """Previews of the first clip of a selection, with its own and the last clip's speech or text; no damaged ones."""

    def __init__(
        self,
        index: ClipIndex,
        sequences: MotionSequences,
        vae: Vae,
        sde: VpSde,
        landmarks: LandmarkStandard | None = None,
    ) -> None:
        """Prepare the previews.

        Args:
            index: the clips.
            sequences: of the same clips.
            vae: decodes motion.
            sde: the process.
            landmarks: how landmarks are standardised, where these are the target.
        """
        self._reader = ClipReader(index)
        self._landmarks = copy.deepcopy(landmarks)
        image = LandmarkImageConfig(scheme=index.landmark_scheme, image_px=vae.config.image_px)
        self._renderer = None if landmarks is None else LandmarkRenderer(image)
        self._sequences, self._vae, self._sde = sequences, vae, sde
        self._n_frames = index.n_frames
        self._clips: tuple[int, int] | None = None

    @torch.inference_mode()
    def sheet(self, network: MotionDiffusion) -> RgbImage:
        """Return three rows of frames: true motion, motion from the clip's speech or text, motion from another clip's.

        The VAE decodes all of them with the appearance of the clip's first frame, which is the reference too.

        Args:
            network: in evaluation mode, on the device of the VAE.

        Raises:
            DamagedDataError: no clip can be read.
        """
        device = next(network.parameters()).device
        if self._clips is None:
            numbers = range(len(self._n_frames))
            self._clips = self._first_readable(numbers), self._first_readable(reversed(numbers))
        clips = self._clips
        n_frames = min(_MOST_FRAMES, *(int(self._n_frames[clip]) for clip in clips))
        own, other = (self._sequences.sequence(Excerpt(clip, 0, n_frames, 0)) for clip in clips)
        rows = [own.target_TD.to(device)]
        sampling = MotionSampling(sde=self._sde, guidance=GUIDANCE[network.config.condition])
        for driven in (own, own.driven_by(other)):
            inputs = driven.inputs(device)
            rows.append(sample_motion(network, inputs, SeededNoise([_SEED], device), sampling)[0])
        columns = np.linspace(0, n_frames - 1, _COLUMNS).round().astype(int).tolist()
        appearance_CHW = self._appearance(clips[0], device)
        return np.concatenate([self._row(row_TD[columns], appearance_CHW) for row_TD in rows])

    def _first_readable(self, clips: Iterable[int]) -> int:
        reasons = []
        for clip in clips:
            try:
                self._sequences.sequence(Excerpt(clip, 0, 1, 0))
                self._reader.frames(clip, [0], self._vae.config.image_px)
            except ClipError as error:
                reasons.append(str(error))
            else:
                return clip
        raise DamagedDataError(f"no clip can be read for a preview; the first: {reasons[0]}")

    def _appearance(self, clip: int, device: torch.device) -> Tensor:
        """Return (C, H, W) appearance of the first frame of a clip."""
        frames = self._reader.frames(clip, [0], self._vae.config.image_px)
        image_BCHW = to_float(torch.from_numpy(frames).permute(0, 3, 1, 2).to(device))
        return self._vae.encode_appearance(image_BCHW).mean_BCHW[0]

    def _row(self, motion_TD: Tensor, appearance_CHW: Tensor) -> RgbImage:
        """Return the decoded images of (T, D) standardised latents or landmarks, side by side."""
        latents_BCHW = self._latents(motion_TD)
        if self._vae.config.disentangled:
            image_BCHW = self._vae.decode(appearance_CHW.expand(len(latents_BCHW), -1, -1, -1), latents_BCHW)
        else:
            image_BCHW = self._vae.decode(latents_BCHW, None)
        return np.concatenate(to_uint8(image_BCHW), axis=1)

    def _latents(self, motion_TD: Tensor) -> Tensor:
        """Return (T, C, H, W) latents, of landmarks as E_M encodes them."""
        if self._renderer is None or self._landmarks is None:
            shape = self._sequences.facts.latent_shape
            return self._vae.latent_statistics.restore(motion_TD.reshape(-1, *shape))
        standard, renderer = self._landmarks.to(motion_TD.device), self._renderer.to(motion_TD.device)
        points_TK2 = standard.restore(motion_TD, self._vae.config.image_px)
        valid_TK = torch.ones(points_TK2.shape[:2], dtype=torch.bool, device=motion_TD.device)
        return self._vae.encode_motion(renderer(points_TK2, valid_TK)).mean_BCHW
