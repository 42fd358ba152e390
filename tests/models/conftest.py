import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Networks as small as those of the tests are faster on one thread, and two test processes share two cores."""
    torch.set_num_threads(1)
