"""Casual Conversations, both versions: names and annotation as public programs read them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from curation.sources.discover import discover
from curation.sources.entries import SourceError
from curation.sources.video_labels import VideoLabels

LABEL = {"age": "29", "gender": "Female", "skin-type": "3"}
V1 = {
    "1178": {"label": LABEL, "dark_files": [], "files": ["CasualConversationsA/1178/1178_08.MP4"]},
    "208": {"label": LABEL, "dark_files": [], "files": ["CasualConversationsNO/0208/0208_00.MP4"]},
}
V2 = [
    {"video_name": "0007_portuguese_nonscripted_1.mp4", "subject_id": "0007", "language": "portuguese"},
    {"video_name": "4011_tamil_scripted_2.mp4", "subject_id": "0012", "language": "tamil"},
]


def test_the_folder_of_a_person_names_the_speaker(put: Callable[..., Path], told: Callable[..., object]) -> None:
    root = put("CasualConversationsA/1178/1178_08.MP4", "CasualConversationsA/1178/1178_09.MP4")
    assert told(root) == {
        "CasualConversationsA/1178/1178_08.MP4": ("cc_v1", "1178", ()),
        "CasualConversationsA/1178/1178_09.MP4": ("cc_v1", "1178", ()),
    }


def test_one_part_alone_is_recognised_too(put: Callable[..., Path], told: Callable[..., object]) -> None:
    root = put("CasualConversationsA/1178/1178_08.MP4")
    assert told(root / "CasualConversationsA" / "1178") == {"1178_08.MP4": ("cc_v1", "1178", ())}


def test_annotation_says_who_speaks_in_the_files_that_it_lists(
    put: Callable[..., Path], told: Callable[..., object]
) -> None:
    annotation = V1 | {"3000": {"label": LABEL, "dark_files": [], "files": ["CasualConversationsB/2001/2001_00.mp4"]}}
    root = put(
        *("CasualConversationsA/1178/1178_08.MP4", "CasualConversationsNO/0208/0208_00.MP4"),
        *("CasualConversationsB/2001/2001_00.mp4", "CasualConversationsB/2001/2001_01.mp4"),
        texts={"CC_annotations/CasualConversations.json": json.dumps(annotation)},
    )
    assert {name: speaker for name, (_, speaker, _) in told(root, "cc_v1").items()} == {
        "CasualConversationsA/1178/1178_08.MP4": "1178",
        "CasualConversationsNO/0208/0208_00.MP4": "0208",
        "CasualConversationsB/2001/2001_00.mp4": "3000",
        "CasualConversationsB/2001/2001_01.mp4": "2001",
    }


def test_the_second_version_names_person_and_language(put: Callable[..., Path], told: Callable[..., object]) -> None:
    root = put("part 1/0007_portuguese_nonscripted_1.mp4", "part 2/0007_english_scripted_0.mp4")
    assert told(root) == {
        "part 1/0007_portuguese_nonscripted_1.mp4": ("cc_v2", "0007", ()),
        "part 2/0007_english_scripted_0.mp4": ("cc_v2", "0007", ()),
    }


def test_annotation_of_the_second_version_goes_before_the_name(
    put: Callable[..., Path], told: Callable[..., object]
) -> None:
    root = put(
        *("videos/0007_portuguese_nonscripted_1.mp4", "videos/4011_tamil_scripted_2.mp4"),
        texts={"annotations/CasualConversationsV2.json": json.dumps(V2)},
    )
    assert [speaker for _, speaker, _ in told(root).values()] == ["0007", "0012"]


def test_age_gender_skin_and_language_of_the_annotation_are_labels(put: Callable[..., Path]) -> None:
    people = V1 | {
        "3000": {"label": {"age": "N/A", "gender": "Other"}, "files": ["CasualConversationsB/2001/2001_00.mp4"]}
    }
    first = put(
        *("CasualConversationsA/1178/1178_08.MP4", "CasualConversationsB/2001/2001_00.mp4"),
        *("CasualConversationsB/2001/2001_01.mp4",),
        texts={"CasualConversations.json": json.dumps(people)},
    )
    assert [video.labels for video in discover(str(first), "cc_v1").videos] == [
        VideoLabels(age="29", gender="Female", skin_type="3"),
        VideoLabels(gender="Other"),
        VideoLabels(),
    ]


def test_labels_of_the_second_version_follow_the_video(put: Callable[..., Path]) -> None:
    skin = {"type": "Type IV", "confidence": "high"}
    annotated = {"video_name": "0007_portuguese_nonscripted_1", "subject_id": 7, "age": 41, "gender": "cis woman"}
    root = put(
        *("0007_portuguese_nonscripted_1.mp4", "0008_Tamil_scripted_2.mp4", "0009_tamil_scripted_3.mp4"),
        texts={
            "CasualConversationsV2.json": json.dumps(
                [
                    {**annotated, "fitzpatrick_skin_tone": skin},
                    {"video_name": "0008_Tamil_scripted_2.mp4", "subject_id": "0008", "age": "prefer not to say"},
                ]
            )
        },
    )
    assert [video.labels for video in discover(str(root), "cc_v2").videos] == [
        VideoLabels(language="portuguese", age="41", gender="cis woman", skin_type="4"),
        VideoLabels(language="tamil"),
        VideoLabels(language="tamil"),
    ]


@pytest.mark.parametrize(
    ("layout", "video", "file", "text"),
    [
        ("cc_v1", "1178/1178_08.MP4", "CasualConversations.json", "[1]"),
        ("cc_v1", "1178/1178_08.MP4", "CasualConversations.json", '{"1178": {"label": {}}}'),
        ("cc_v1", "1178/1178_08.MP4", "CasualConversations_mini.json", "no JSON"),
        ("cc_v2", "0007_tamil_scripted_1.mp4", "CasualConversationsV2.json", '[{"video_name": "a.mp4"}]'),
        ("cc_v1", "1178/1178_08.MP4", "CasualConversations.json", '{"1": {"files": [], "label": {"age": [1]}}}'),
        ("cc_v1", "1178/1178_08.MP4", "CasualConversations.json", '{"1": {"files": [], "label": {"age": "\\u0007"}}}'),
        ("cc_v2", "0007_tamil_scripted_1.mp4", "CasualConversationsV2.json", '{"a.mp4": {"subject_id": "1"}}'),
    ],
)
def test_annotation_of_another_form_is_refused_by_its_name(
    layout: str, video: str, file: str, text: str, put: Callable[..., Path]
) -> None:
    with pytest.raises(SourceError, match=rf"{file}: is not the annotation of Casual Conversations"):
        discover(str(put(video, texts={file: text})), layout)
