"""Signals that ask a run to stop where it can be taken up again."""

from __future__ import annotations

import signal


class StopRequest:
    """Whether SIGINT or SIGTERM has come.

    The first is only noted, for whoever works to look at between two steps. The second does not wait: it
    raises KeyboardInterrupt.
    """

    def __init__(self) -> None:
        self.made = False

    def listen(self) -> None:
        """Take the signals' place in this process."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._hear)

    def _hear(self, *_: object) -> None:
        if self.made:
            raise KeyboardInterrupt
        self.made = True
