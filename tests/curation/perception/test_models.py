from pathlib import Path
from typing import get_args

import pytest

from curation.model_registry import FACE_FINDERS, HEAD_POSES, IDENTITIES, MASKS, SPEAKING
from curation.perception.cards import FaceFinderCard, HeadPoseCard, IdentityCard, MaskCard, SpeakingCard
from curation.perception.models import (
    identity_at_hand,
    load_active_speaker,
    optional_assets,
    perception_assets,
    perception_cards,
    pose_method,
)
from curation.perception.settings import PerceptionSettings
from foundation.weights import asset_names


def test_the_card_of_every_built_in_model_has_its_name_and_type() -> None:
    for registry, card_type in (
        (FACE_FINDERS, FaceFinderCard),
        (HEAD_POSES, HeadPoseCard),
        (IDENTITIES, IdentityCard),
        (MASKS, MaskCard),
        (SPEAKING, SpeakingCard),
    ):
        for name in registry.built_in:
            card = registry.card(name, card_type)
            assert (card.name, card.kind) == (name, registry.kind)


CHOICES = [
    *(("faces", name) for name in FACE_FINDERS.built_in),
    *(("scrfd", name) for name in get_args(PerceptionSettings.model_fields["scrfd"].annotation)),
    *(("pose", name) for name in HEAD_POSES.built_in),
    *(("identity", name) for name in ("auto", *IDENTITIES.built_in)),
    *(("mask", name) for name in MASKS.built_in),
    *(("speaking", name) for name in ("none", *SPEAKING.built_in)),
]


@pytest.mark.parametrize(("setting", "name"), CHOICES)
def test_every_choice_of_a_model_names_weights_that_the_registry_has(setting: str, name: str) -> None:
    settings = PerceptionSettings.model_validate({"faces": "scrfd", setting: name})
    assert {*perception_assets(settings), *optional_assets(settings)} <= set(asset_names())


def test_a_choice_adds_the_weights_of_its_model_and_no_other() -> None:
    plain = set(perception_assets(PerceptionSettings()))
    assert plain == {"face_landmarker", "dlib_face_recognition_resnet", "whisper-tiny.en"}
    for changes, added, dropped in (
        ({"pose": "3ddfa_mb05"}, {"3ddfa_mb05", "3ddfa_whitening"}, set()),
        ({"mask": "ssd"}, {"face_mask_detection"}, set()),
        ({"mask": "ssd_onnx"}, {"face_mask_detection_onnx"}, set()),
        ({"identity": "arcface"}, {"w600k_r50"}, {"dlib_face_recognition_resnet"}),
        ({"faces": "scrfd", "scrfd": "scrfd_2.5g"}, {"scrfd_2.5g", "dlib_shape_predictor_68"}, set()),
        ({"scrfd": "scrfd_2.5g"}, set(), set()),
        ({"speaking": "lr_asd"}, {"lr_asd_ava"}, set()),
    ):
        assert set(perception_assets(PerceptionSettings.model_validate(changes))) == (plain | added) - dropped, changes


def test_the_pose_in_the_manifest_is_the_one_that_is_set_or_the_finders_own() -> None:
    assert pose_method(PerceptionSettings(pose="3ddfa_mb1")) == "3ddfa_mb1"
    assert pose_method(PerceptionSettings(faces="dlib")) == "dlib68_pnp"
    assert pose_method(PerceptionSettings(faces="scrfd")) == "mediapipe_transform"


def test_every_network_says_what_runs_it() -> None:
    paper = PerceptionSettings(faces="scrfd", pose="3ddfa_mb1", identity="arcface", mask="ssd", speaking="lr_asd")
    runtimes = {
        card.name if card.kind == "faces" else card.kind: (card.runtime, card.on_gpu)
        for card in perception_cards(paper)
    }
    assert runtimes == {
        "scrfd": ("", False),
        "landmarks": ("ai-edge-litert", False),
        "jitter": ("dlib-bin", False),
        "det_10g": ("onnxruntime", True),
        "pose": ("onnxruntime", True),
        "mask": ("ai-edge-litert", False),
        "identity": ("onnxruntime", True),
        "sync": ("ctranslate2", False),
        "speaking": ("onnxruntime", False),
        "voice": ("onnxruntime", False),
    }


def test_auto_is_the_identity_that_has_its_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAIA_MODELS", str(tmp_path))
    monkeypatch.setenv("GAIA_CACHE", str(tmp_path))
    assert identity_at_hand(PerceptionSettings(identity="arcface")) == "arcface"
    assert identity_at_hand(PerceptionSettings(identity="auto")) == "dlib"


def test_no_active_speaker_is_loaded_unless_one_is_set() -> None:
    assert load_active_speaker(PerceptionSettings()) is None
