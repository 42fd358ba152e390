"""A worker keeps the libraries of its process on one thread."""

import cv2
import torch

from curation.engine.one_thread import use_one_thread


def test_libraries_that_were_imported_before_are_kept_on_one_thread_too() -> None:
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(2)
    cv2.setNumThreads(2)
    try:
        use_one_thread()
        assert (torch.get_num_threads(), cv2.getNumThreads()) == (1, 1)
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])
