import pytest

from foundation.settings import SettingsError
from training.evaluation.protocols.protocol import EvaluationProtocol, load_protocols, protocol_names, read_protocol

FIELDS = (
    "{origin: B.2, table: reconstruction, drive: landmarks, speech: own, reference: first_frame, first_frame: 1,"
    " most_frames: null, rounds: 1, seed: 0}"
)


def test_the_protocols_have_the_numbers_of_appendix_b() -> None:
    _, protocols = load_protocols("paper")
    reconstruction, reenactment, speech = protocols.values()
    # B.2: "the first frame of each video as the input to the appearance encoder, and the others as driving frames";
    # "on all frames in the test set"
    assert (reconstruction.reference, reconstruction.first_frame, reconstruction.most_frames) == (
        "first_frame",
        1,
        None,
    )
    # B.2: "randomly sample one frame from other videos", "5 rounds for each driving video", "100 frames in each round"
    assert (reenactment.reference, reenactment.rounds, reenactment.most_frames) == ("another_person", 5, 100)
    # B.3: "the first frame of each video as the reference image"
    assert (speech.drive, speech.reference, speech.first_frame) == ("speech", "first_frame", 0)
    assert [protocol.table for protocol in protocols.values()] == ["reconstruction", "reenactment", "speech"]


def test_the_set_of_another_data_set_is_the_same_protocols_on_500_listed_videos() -> None:
    members, protocols = load_protocols("talkinghead_1kh")
    assert (members.videos, members.test_list) == (500, "required")  # section 5.1
    assert protocols == load_protocols("paper")[1]


def test_one_protocol_is_a_set_of_itself() -> None:
    members, protocols = load_protocols("speech_driven")
    assert (members.protocols, list(protocols), members.test_list) == (("speech_driven",), ["speech_driven"], "allowed")


def test_an_unknown_protocol_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(SettingsError, match="the nearest known one is 'cross_reenactment'"):
        load_protocols("cross_enactment")
    assert set(protocol_names()) == {
        "controlled", "cross_reenactment", "paper", "self_reconstruction", "speech_driven", "speech_of_others",
        "talkinghead_1kh",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("drive: landmarks", "drive: text", "drive"),
        ("speech: own", "speech: another_person", "but drive is 'landmarks'"),
        (", rounds: 1", "", "'rounds' is missing"),
        ("seed: 0", "seed: 0, seeds: 1", "seeds"),
        ("first_frame: 1", "first_frame: 0", "which is the reference itself"),
        ("rounds: 1", "rounds: 5", "the reference is always the first frame"),
        ("rounds: 1", "rounds: 0", "rounds"),
        ("{origin", "origin", "is no YAML|give the fields"),
    ],
)
def test_a_protocol_that_is_not_one_is_refused(old: str, new: str, message: str) -> None:
    assert isinstance(read_protocol(FIELDS, "own"), EvaluationProtocol)
    with pytest.raises(SettingsError, match=message):
        read_protocol(FIELDS.replace(old, new, 1), "own")
