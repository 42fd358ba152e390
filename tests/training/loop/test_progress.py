import io

from training.loop.progress import TrainProgress


def test_line_in_a_log_says_how_long_it_takes_yet() -> None:
    stream, now = io.StringIO(), iter((0.0, 100.0, 104.0, 104.0))
    with TrainProgress(stream, clock=lambda: next(now)) as progress:
        progress.start(2, 10)
        progress.log({"loss": 2.0})
        progress.advance()  # the first step, which also starts all: not counted
        progress.advance()  # one step in 4 s, six are left
        progress.log({"loss": 0.123456})
    assert stream.getvalue() == "[2/10] loss 2 (time left not known yet)\n[4/10] loss 0.1235 (24 s left)\n"


def test_other_ranks_show_nothing() -> None:
    stream = io.StringIO()
    with TrainProgress(stream, visible=False) as progress:
        progress.start(0, 1)
        progress.advance()
        progress.log({"loss": 2.0})
    assert stream.getvalue() == ""
