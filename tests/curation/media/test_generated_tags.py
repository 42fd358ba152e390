"""What files say of how they were made: boxes and tags written here byte by byte."""

import json
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from curation.media.encode import encode_mp4
from curation.media.errors import MediaError
from curation.media.origin.generated_tags import generated_tags
from manifests.files.h264_mp4 import with_sound
from manifests.generated_media import COMMENT, DIGITAL_SOURCE_TYPE

XMP = UUID("be7acfcb-97a9-42e8-9c71-999491e3afac").bytes
C2PA = UUID("d8fec3d6-1b0e-483c-9297-5828877ec481").bytes
IPTC = b"http://cv.iptc.org/newscodes/digitalsourcetype/"
SOURCE_TYPE = b"<Iptc4xmpExt:DigitalSourceType>%s%s</Iptc4xmpExt:DigitalSourceType>"


def box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def plain(tags: dict[str, str] | None = None) -> bytes:
    frames = [np.full((64, 64, 3), 40 * number, np.uint8) for number in range(3)]
    return with_sound(encode_mp4(frames, 64), None, 48_000, tags or {})


def tags_in(folder: Path, content: bytes, name: str = "video.mp4") -> tuple[str, ...]:
    (folder / name).write_bytes(content)
    return generated_tags(folder / name)


def after_ftyp(mp4: bytes, added: bytes) -> bytes:
    end = int.from_bytes(mp4[:4], "big")
    assert mp4[4:8] == b"ftyp"
    return mp4[:end] + added + mp4[end:]


def test_a_recording_says_nothing(tmp_path: Path) -> None:
    assert tags_in(tmp_path, plain({"comment": "My holiday, not AI-generated", "title": "prompt"})) == ()


def test_the_tags_that_our_own_command_writes_are_known(tmp_path: Path) -> None:
    facts = json.dumps({"digital_source_type": DIGITAL_SOURCE_TYPE, "software": "gaia-avatar 0.1.0"})
    own = plain({"comment": COMMENT, "description": facts})
    assert tags_in(tmp_path, own) == ("gaia_avatar", "trained_algorithmic_media")
    assert tags_in(tmp_path, plain({"comment": COMMENT})) == ("gaia_avatar",)
    other = plain({"description": json.dumps({"software": "gaia-avatar-viewer 2"})})
    assert tags_in(tmp_path, other) == ()


@pytest.mark.parametrize(
    ("term", "tags"),
    [
        (b"trainedAlgorithmicMedia", ("trained_algorithmic_media",)),
        (b"compositeWithTrainedAlgorithmicMedia", ("composite_with_trained_algorithmic_media",)),
        (b"compositeSynthetic", ("composite_synthetic",)),
        (b"digitalCapture", ()),
    ],
)
def test_the_source_type_in_xmp_is_read_at_the_end_of_the_file(
    tmp_path: Path, term: bytes, tags: tuple[str, ...]
) -> None:
    assert tags_in(tmp_path, plain() + box(b"uuid", XMP + SOURCE_TYPE % (IPTC, term))) == tags


def test_xmp_in_the_user_data_of_a_quicktime_movie_is_read(tmp_path: Path) -> None:
    mp4 = plain()
    start = mp4.rindex(b"moov") - 4
    size = int.from_bytes(mp4[start : start + 4], "big")
    added = box(b"udta", box(b"XMP_", SOURCE_TYPE % (IPTC, b"trainedAlgorithmicMedia")))
    moov = (size + len(added)).to_bytes(4, "big") + mp4[start + 4 : start + size] + added
    assert tags_in(tmp_path, mp4[:start] + moov + mp4[start + size :]) == ("trained_algorithmic_media",)


def test_a_manifest_of_a_camera_is_recorded_and_says_nothing_of_generation(tmp_path: Path) -> None:
    manifest = box(b"uuid", C2PA + bytes(4) + b"manifest\0" + bytes(8) + box(b"jumb", IPTC + b"digitalCapture"))
    assert tags_in(tmp_path, after_ftyp(plain(), manifest)) == ("content_credentials",)


@pytest.mark.parametrize("kind", [b"uuid", b"jumb", b"caBX"])
def test_a_manifest_of_a_generator_says_so_in_any_box_that_may_hold_it(tmp_path: Path, kind: bytes) -> None:
    # in CBOR the length of the next text follows at once
    content = (C2PA if kind == b"uuid" else b"") + IPTC + b"trainedAlgorithmicMedia\x6dsoftwareAgent"
    signed = after_ftyp(plain(), box(kind, content))
    assert tags_in(tmp_path, signed) == ("trained_algorithmic_media", "content_credentials")


def test_other_boxes_and_pictures_are_not_searched(tmp_path: Path) -> None:
    other = box(b"uuid", bytes(16) + IPTC + b"trainedAlgorithmicMedia") + box(b"mdat", IPTC + b"compositeSynthetic")
    assert tags_in(tmp_path, plain() + other) == ()


def test_a_length_that_cannot_be_true_ends_the_search(tmp_path: Path) -> None:
    long = (2**31).to_bytes(4, "big") + b"uuid" + XMP + SOURCE_TYPE % (IPTC, b"trainedAlgorithmicMedia")
    assert tags_in(tmp_path, plain() + long) == ()
    whole = (1).to_bytes(4, "big") + b"uuid" + (16 + 16 + len(IPTC) + 23).to_bytes(8, "big")
    assert tags_in(tmp_path, plain() + whole + XMP + IPTC + b"trainedAlgorithmicMedia") == (
        "trained_algorithmic_media",
    )


def test_the_label_of_gb_45438_is_read_from_xmp(tmp_path: Path) -> None:
    packet = (
        b'<rdf:Description xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/"><TC260:AIGC>{"Label":"1"}</TC260:AIGC>'
    )
    assert tags_in(tmp_path, plain() + box(b"uuid", XMP + packet)) == ("aigc_label",)
    assert tags_in(tmp_path, plain() + box(b"uuid", XMP + packet.split(b"><")[0])) == ()


def test_a_workflow_of_comfyui_is_known_and_other_json_is_not(tmp_path: Path) -> None:
    node = {"3": {"class_type": "KSampler", "inputs": {"seed": 1}}}
    assert tags_in(tmp_path, plain({"comment": json.dumps({"prompt": json.dumps(node)})})) == ("comfyui_workflow",)
    assert tags_in(tmp_path, plain({"comment": json.dumps({"workflow": {"nodes": [], "links": []}})})) == (
        "comfyui_workflow",
    )
    assert tags_in(tmp_path, plain({"comment": json.dumps({"prompt": "say something", "nodes": 3})})) == ()
    assert tags_in(tmp_path, plain({"comment": "{" * 100_000})) == ()


def test_a_file_that_is_no_video_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_bytes(b"not a video")
    with pytest.raises(MediaError):
        generated_tags(tmp_path / "notes.mp4")
