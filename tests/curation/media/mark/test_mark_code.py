import zlib

import numpy as np
import pytest

from curation.media.mark.mark_code import CODED_BITS, decoded_id, encoded_id

MARK_ID = 0x3F0C2A7E91B4


def test_an_id_is_sent_with_its_crc_through_the_code_133_171_165() -> None:
    content = MARK_ID.to_bytes(6, "big")
    word = int.from_bytes(content + zlib.crc32(content).to_bytes(4, "big"), "big") << 6  # six zeros end it
    bits = [0] * 6 + [word >> place & 1 for place in range(85, -1, -1)]
    # by definition: the taps, the newest input first, of the last seven inputs
    taps = ([1, 0, 1, 1, 0, 1, 1], [1, 1, 1, 1, 0, 0, 1], [1, 1, 1, 0, 1, 0, 1])
    expected = [
        sum(tap * bits[6 + time - age] for age, tap in enumerate(generator)) % 2
        for time in range(86)
        for generator in taps
    ]
    assert encoded_id(MARK_ID).tolist() == [1 - 2 * bit for bit in expected]


def test_the_code_words_of_two_ids_differ_in_at_least_15_bits() -> None:
    # 15 is the free distance of this code in tables (Larsen 1973)
    words = [encoded_id(1 << place) for place in range(48)]
    assert min(np.count_nonzero(word != encoded_id(0)) for word in words) >= 15


def test_an_id_is_read_from_bits_of_which_one_in_eight_is_wrong() -> None:
    rng = np.random.default_rng(0)
    read = []
    for _ in range(20):
        soft = encoded_id(MARK_ID) + rng.normal(scale=0.87, size=CODED_BITS)  # Q(1 / 0.87) = 12.5 % wrong
        read.append(decoded_id(soft) == MARK_ID)
    assert sum(read) >= 16


def test_noise_carries_no_id() -> None:
    rng = np.random.default_rng(1)
    assert [decoded_id(rng.normal(size=CODED_BITS)) for _ in range(200)] == [None] * 200


def test_a_word_whose_check_does_not_fit_carries_no_id() -> None:
    # codes are linear: this product is the word of two ids' sum, with the sum of their checks
    both = encoded_id(5) * encoded_id(6) * encoded_id(7)
    assert decoded_id(both.astype(np.float64)) == 4  # CRC-32 of an odd number of words adds up
    assert decoded_id((encoded_id(5) * encoded_id(6)).astype(np.float64)) is None


def test_an_id_of_more_than_48_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="48 bits"):
        encoded_id(1 << 48)
