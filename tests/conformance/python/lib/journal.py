"""What has happened so far, and a way to wait for what has not happened yet.

Tests wait for entries of journals instead of sleeping.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

# Far above what a busy machine needs; it bounds a hang, it measures nothing.
PATIENCE_SECONDS = 20


async def in_time(awaitable: Awaitable, what: str) -> Any:
    """The result of `awaitable`, or a failure that says what did not come."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await awaitable
    except TimeoutError:
        raise AssertionError(f"no {what} in {PATIENCE_SECONDS} s") from None


class Journal:
    def __init__(self, name: str):
        self.entries: list = []
        self._name = name
        self._grown = asyncio.Event()

    def add(self, entry: Any) -> None:
        self.entries.append(entry)
        # Everyone who waits holds this event; the next ones wait for the next entry.
        self._grown.set()
        self._grown = asyncio.Event()

    async def take(
        self, count: int, matches: Callable[[Any], bool], what: str, since: int = 0
    ) -> list:
        """The first `count` matching entries from index `since` on; waits for so many."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    found = [entry for entry in self.entries[since:] if matches(entry)]
                    if len(found) >= count:
                        return found[:count]
                    await self._grown.wait()
        except TimeoutError:
            seen = "".join(f"\n  {entry}" for entry in self.entries) or " nothing"
            raise AssertionError(f"{self._name}: no {what}; it has seen{seen}") from None
