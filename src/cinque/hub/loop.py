"""The hub's one loop: what nobody took in time expires. It waits for the next due time or for a new request."""

from __future__ import annotations

import threading

from cinque.hub.service import Hub
from cinque.lib.clock import Clock

LONGEST = 60.0  # seconds between two looks when nothing is due: clocks may be set


class Expiry:
    """`tick` ends what is overdue and waits until something may be."""

    def __init__(self, hub: Hub, clock: Clock) -> None:
        self._hub = hub
        self._clock = clock
        self._changed = threading.Event()
        hub.on_change = self._changed.set

    def wake(self) -> None:
        """Look again now."""
        self._changed.set()

    def tick(self) -> None:
        """One look."""
        self._changed.clear()
        due = self._hub.expire()
        left = LONGEST if due is None else min(LONGEST, due - self._clock().timestamp())
        self._changed.wait(max(0.05, left))
