"""Work in a thread beside this one."""

import threading
from collections.abc import Callable

__all__ = ["BackgroundTask"]


class BackgroundTask(threading.Thread):
    """Work in a daemon thread, for which an error waits a few seconds: the next call completes interrupted packing."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        """Run the work, and keep the exception it raises."""
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - for `finish`
            self._error = error

    def finish(self, patience_s: float) -> BaseException | None:
        """Wait for the end of the work, no longer than some seconds, and return the exception that ended it."""
        self.join(patience_s)
        return self._error
