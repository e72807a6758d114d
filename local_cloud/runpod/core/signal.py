"""Wakes tasks that wait for a change.
Carries no data: a waiter reads the state again after it wakes."""

from __future__ import annotations

import asyncio


class Signal:
    """Wakes every task that waits at this moment."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def fire(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    def waiter(self) -> asyncio.Event:
        """Take it before you read the state and await it after, so that no change between the two is missed."""
        return self._event
