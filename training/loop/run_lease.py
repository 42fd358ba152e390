"""The lease of a folder that the processes of a run write to together."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.distributed as dist

from foundation.storage.leases import LeaseHeldError, LeaseToken, adopt, held
from training.loop.parallel import Ranks

__all__ = ["held_by_ranks"]

_REFUSED, _WAITING, _HELD = range(3)


@contextmanager
def held_by_ranks(folder: Path, command: str, ranks: Ranks, *, wait: bool) -> Iterator[None]:
    """Hold the lease of a folder in the block for all ranks: the first holds it, the others write under it.

    Args:
        folder: a local folder, or an address.
        command: what is done, for the messages of other commands.
        ranks: the processes; every one has to call this.
        wait: wait while another command writes to the folder; otherwise be refused.

    Raises:
        LeaseHeldError: another command writes to it.
        OSError: it cannot be written.
    """
    if not ranks.first:
        adopt(_received(folder))
        yield
        ranks.wait()
        return
    answered = False
    try:
        with held(folder, command, wait=wait, on_wait=lambda: _tell(ranks, _WAITING)) as lease:
            _tell(ranks, _HELD, lease.token.token)
            answered = True
            yield
            ranks.wait()  # the others may still write
    finally:
        if not answered:
            _tell(ranks, _REFUSED)


def _tell(ranks: Ranks, state: int, token: str = "") -> None:
    if ranks.size > 1:
        dist.broadcast(torch.tensor([state, *bytes.fromhex(token or "00" * 16)]), src=0)


def _received(folder: Path) -> LeaseToken:
    """Return the right to write, as soon as the first rank has it.

    Raises:
        LeaseHeldError: it does not get it.
    """
    while True:
        told = torch.zeros(17, dtype=torch.int64)
        dist.broadcast(told, src=0)
        state, *token = told.tolist()
        if state == _HELD:
            return LeaseToken(folder, bytes(token).hex())
        if state == _REFUSED:
            raise LeaseHeldError(f"{folder}: another command writes there; the first process of this run says which")
