"""Voices of tracks: which are one, and where they disagree with the faces."""

import numpy as np
import pytest

from curation.identities.voices import grouped_voices, voice_conflicts


def directions(**angles_deg: float) -> dict[int, np.ndarray]:
    """By number of a track, a direction in a plane."""
    angles = {int(name.removeprefix("t")): np.radians(angle) for name, angle in angles_deg.items()}
    return {track: np.array([np.cos(a), np.sin(a)], np.float32) for track, a in angles.items()}


def conflicts(persons: str, **angles_deg: float) -> dict[int, str]:
    return voice_conflicts(grouped_voices(directions(**angles_deg), 0.5, threads=1), list(persons), 0.5)


def test_a_dub_is_a_voice_unlike_those_of_the_persons_other_clips() -> None:
    found = conflicts("AAA", t0=0, t1=10, t2=90)
    assert list(found) == [2]
    assert "the face is A, and the voice is another than in most" in found[2]
    cosine = (np.cos(np.radians(90)) + np.cos(np.radians(80))) / 2
    assert f"mean cosine {cosine:.2f}, the limit is 0.50" in found[2]


def test_one_voice_of_two_faces_is_told_of_both() -> None:
    found = conflicts("AB", t0=0, t1=10)
    assert found == {
        0: "the voice is also that of B, whose face is another",
        1: "the voice is also that of A, whose face is another",
    }


def test_voices_that_fit_their_faces_are_not_told_and_tracks_may_have_none() -> None:
    assert conflicts("AxB", t0=0, t2=90) == {}


def test_a_group_of_voices_is_named_by_its_lowest_place() -> None:
    voices = grouped_voices(directions(t4=0, t7=5, t9=90), 0.5, threads=1)
    assert voices.track.tolist() == [4, 7, 9]
    assert voices.group.tolist() == [0, 0, 2]
    assert np.linalg.norm(voices.embedding, axis=1) == pytest.approx(1.0)
