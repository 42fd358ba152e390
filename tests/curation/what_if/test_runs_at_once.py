import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from curation.rules.runs import true_runs
from curation.rules.too_short import split_evenly
from curation.what_if.runs_at_once import marked, pieces_of, runs_of

TICKS = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60)


@given(TICKS)
def test_runs_are_those_of_the_rules_one_by_one(ticks: list[tuple[bool, bool]]) -> None:
    flags = np.array([flag for flag, _ in ticks], dtype=np.bool_)
    breaks = np.array([new for _, new in ticks], dtype=np.bool_)
    for starts_new in (None, breaks):
        firsts, ends = runs_of(flags, starts_new)
        assert list(zip(firsts.tolist(), ends.tolist(), strict=True)) == true_runs(flags, starts_new)
    assert (marked(len(flags), *runs_of(flags, breaks)) == flags).all()


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.integers(1, 12))
def test_long_runs_are_cut_as_one_by_one(lengths: list[int], longest: int) -> None:
    ends = np.cumsum(lengths)
    firsts = ends - lengths
    cut = [piece for run in zip(firsts.tolist(), ends.tolist(), strict=True) for piece in split_evenly(*run, longest)]
    pieces = pieces_of(firsts, ends, longest)
    assert list(zip(pieces[0].tolist(), pieces[1].tolist(), strict=True)) == cut
