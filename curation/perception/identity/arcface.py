"""Who a face is: ArcFace's 512 numbers (w600k_r50.onnx of InsightFace's buffalo_l; non-commercial research only).

Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition" (CVPR 2019). The network's input and its
scaling are those of `insightface.model_zoo`; the alignment is InsightFace's too, from five of the nine key points.
"""

from pathlib import Path

import numpy as np

from curation.perception.cards import IdentityCard
from foundation.array_types import Float32Array, Float64Array, RgbImage
from foundation.devices import Device, onnx_session, resolve_device
from foundation.weights import asset_path
from manifests.landmarks import KEY_POINT_NAMES

__all__ = ["ARCFACE_IDENTITY", "ArcFaceIdentity", "five_points"]

_NETWORK = "w600k_r50"
"""Its name in the asset registry."""

_INPUT_PX = 112

_TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""Where the five points come to lie in the input, pixels (InsightFace's `arcface_dst`)."""


class ArcFaceIdentity:
    """A `FaceDescriber` with vectors of length 1, so that their Euclidean distance stands for their angle."""

    dim = 512

    def __init__(self, device: Device, network: Path | None = None) -> None:
        """Load the network.

        Args:
            device: where it runs.
            network: ONNX file with a 112x112 input and 512 outputs; None takes the one of the asset registry.

        Raises:
            MissingAssetsError: it is not on this machine.
            DeviceError: `device` is a named GPU that onnxruntime cannot use.
            ValueError: the file is another network.
        """
        from insightface.model_zoo.arcface_onnx import ArcFaceONNX

        network = asset_path(_NETWORK) if network is None else network
        session = onnx_session(network, device)
        takes, gives = session.get_inputs()[0].shape, session.get_outputs()[0].shape
        if tuple(takes[2:]) != (_INPUT_PX, _INPUT_PX) or gives[-1] != self.dim:
            raise ValueError(
                f"{network} takes {takes} and gives {gives}; ArcFace takes pictures of {_INPUT_PX}x{_INPUT_PX} and "
                f"gives {self.dim} numbers, as w600k_r50.onnx of buffalo_l does"
            )
        self._arcface = ArcFaceONNX(model_file=str(network), session=session)

    def __call__(self, frame: RgbImage, key_points_px: Float32Array) -> Float32Array:
        """Return the (512,) descriptor of the face with these (9, 2) key points."""
        import cv2

        # OpenCV has the centre of the first pixel at 0, we at 0.5; InsightFace takes OpenCV's order of channels
        to_input = _similarity(five_points(key_points_px) - 0.5, _TEMPLATE)
        chip = cv2.warpAffine(frame, to_input, (_INPUT_PX, _INPUT_PX), borderValue=0.0)
        embedding = np.asarray(self._arcface.get_feat(chip[..., ::-1])).ravel()
        described: Float32Array = (embedding / np.linalg.norm(embedding)).astype(np.float32)
        return described


ARCFACE_IDENTITY = IdentityCard(
    name="arcface",
    dim=ArcFaceIdentity.dim,
    same_person_distance="max_arcface_distance",
    assets=(_NETWORK,),
    runtime="onnxruntime",
    packages=("insightface",),
    on_gpu=True,
    load=lambda settings: ArcFaceIdentity(resolve_device(settings.device)),
)


def five_points(key_points_px: Float32Array) -> Float64Array:
    """Return ArcFace's (5, 2) points: right eye, left eye, nose tip, right and left corner of the mouth."""
    point = dict(zip(KEY_POINT_NAMES, key_points_px.astype(np.float64), strict=True))
    eyes = [(point[f"{side}_eye_outer"] + point[f"{side}_eye_inner"]) / 2 for side in ("right", "left")]
    return np.stack([*eyes, point["nose_tip"], point["mouth_right"], point["mouth_left"]])


def _similarity(source: Float64Array, target: Float64Array) -> Float64Array:
    """Return the (2, 3) turn, scale and shift that maps points (N, 2) best onto others (Umeyama, 1991).

    As complex numbers the map is z -> a z + b, and least squares gives a in closed form.
    """
    z, w = (points[:, 0] + 1j * points[:, 1] for points in (source, target))
    centred = z - z.mean()
    a = np.vdot(centred, w - w.mean()) / np.vdot(centred, centred).real
    b = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])
