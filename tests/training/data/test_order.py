import pytest

from training.data.order import BatchShape, Cursor, MicroBatches, SampleKey, global_batch

N_ITEMS = 23
START = Cursor()


def _batches(shape: BatchShape, steps: int, cursor: Cursor = START) -> list[list[SampleKey]]:
    passes = iter(MicroBatches(shape, cursor, n_items=N_ITEMS, seed=4))
    return [[key for _ in range(shape.accumulation) for key in next(passes)] for _ in range(steps)]


def test_an_epoch_has_every_item_once_and_each_epoch_its_own_order() -> None:
    keys = global_batch(Cursor(), 2 * N_ITEMS, n_items=N_ITEMS, seed=4)
    first, second = keys[:N_ITEMS], keys[N_ITEMS:]
    assert sorted(key.item for key in first) == sorted(key.item for key in second) == list(range(N_ITEMS))
    assert {key.epoch for key in first} == {0}
    assert {key.epoch for key in second} == {1}
    assert [key.item for key in first] != [key.item for key in second]


def test_another_seed_has_another_order() -> None:
    one, other = (global_batch(Cursor(), N_ITEMS, n_items=N_ITEMS, seed=seed) for seed in (4, 5))
    assert one != other


def test_the_order_does_not_depend_on_how_it_is_cut_into_batches() -> None:
    whole = [(key.epoch, key.item) for key in global_batch(Cursor(), 60, n_items=N_ITEMS, seed=4)]
    cursor, taken = Cursor(), []
    for count in (1, 7, 23, 29):
        taken += [(key.epoch, key.item) for key in global_batch(cursor, count, n_items=N_ITEMS, seed=4)]
        cursor = cursor.advanced(count, N_ITEMS)
    assert taken == whole
    assert cursor == Cursor(epoch=2, position=60 - 2 * N_ITEMS)


def test_a_set_smaller_than_the_batch_is_taken_several_times() -> None:
    keys = global_batch(Cursor(), 8, n_items=3, seed=4)
    assert [key.epoch for key in keys] == [0, 0, 0, 1, 1, 1, 2, 2]
    assert Cursor().advanced(8, 3) == Cursor(epoch=2, position=2)


@pytest.mark.parametrize("shape", [(12, 1), (4, 1), (6, 2), (2, 3), (1, 4)])
def test_ranks_share_the_same_batch_whatever_their_number(shape: tuple[int, int]) -> None:
    micro_batch, world_size = shape
    alone = _batches(BatchShape(global_batch=12, micro_batch=12), 5)
    ranks = [
        _batches(BatchShape(global_batch=12, micro_batch=micro_batch, world_size=world_size, rank=rank), 5)
        for rank in range(world_size)
    ]
    for step, batch in enumerate(alone):
        shared = [key for rank in ranks for key in rank[step]]
        assert sorted(shared) == sorted(batch)
        assert len(set(shared)) == len(shared)


def test_passes_go_through_the_batch_in_its_order() -> None:
    keys = global_batch(Cursor(), 8, n_items=N_ITEMS, seed=4)
    ranks = [BatchShape(global_batch=8, micro_batch=2, world_size=2, rank=rank).of_rank(keys) for rank in (0, 1)]
    assert [key for passes in zip(*ranks, strict=True) for part in passes for key in part] == keys


def test_a_resumed_run_goes_on_with_the_next_batch() -> None:
    shape = BatchShape(global_batch=10, micro_batch=5)
    straight = _batches(shape, 8)
    resumed = _batches(shape, 5, Cursor().advanced(3 * 10, N_ITEMS))
    assert straight[3:] == resumed


def test_all_samples_of_a_batch_know_it_by_the_same_number() -> None:
    batches = _batches(BatchShape(global_batch=10, micro_batch=5), 4)
    assert [{key.batch for key in batch} for batch in batches] == [{0}, {10}, {20}, {30}]


def test_a_batch_that_cannot_be_shared_out_is_refused() -> None:
    with pytest.raises(ValueError, match="give a multiple of 6"):
        BatchShape(global_batch=64, micro_batch=3, world_size=2)


def test_an_empty_set_is_refused() -> None:
    with pytest.raises(ValueError, match="select more clips"):
        global_batch(Cursor(), 1, n_items=0, seed=4)
