"""Workers use one thread each."""

import os
import sys

__all__ = ["use_one_thread"]


def use_one_thread() -> None:
    """Keep every library of this process on one thread, so that workers scale with cores."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    if (torch := sys.modules.get("torch")) is not None:  # it was imported before, and has read the variables
        torch.set_num_threads(1)
    import cv2

    cv2.setNumThreads(0)
