import pytest
import torch

from training.loop.parallel import DistributionError, Ranks, ranks_of_environment, shard


def test_process_without_torchrun_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    with ranks_of_environment("cpu") as ranks:
        assert (ranks.rank, ranks.size, ranks.first) == (0, 1, True)
        assert ranks.sum(torch.tensor(3.0)) == 3.0
        assert not ranks.any(False)


def test_gpu_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(DistributionError, match="--device cpu"), ranks_of_environment("cuda"):
        pass


def test_copies_that_do_not_divide_the_ranks_are_refused() -> None:
    three = Ranks(rank=0, size=3, device=torch.device("cpu"))
    with pytest.raises(DistributionError, match=r"ranks_per_copy is 2, which does not divide the 3 ranks"):
        shard(torch.nn.Linear(1, 1), [], (), three, ranks_per_copy=2, bf16=False)
