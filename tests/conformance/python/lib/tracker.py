"""The official SDK in either of its encodings, with everything it tells written down."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from centrifuge import Client, ClientEventHandler, Publication, StreamPosition

from lib.cable import Cable
from lib.journal import PATIENCE_SECONDS, Journal, in_time
from lib.server import Server

EVENTS = (
    "connecting",
    "connected",
    "disconnected",
    "error",
    "subscribing",
    "subscribed",
    "unsubscribed",
    "publication",
    "join",
    "leave",
)
# Offset, order, status.
Seen = tuple[int, int, str]


@dataclass
class Heard:
    event: str
    context: Any


class Tracker:
    def __init__(self, at: Server | Cable, encoding: str, data: dict, **options):
        """`at`: a server or a cable to it. `encoding`: `json` or `protobuf`. More of the SDK's options."""
        self.journal = Journal("SDK client")
        self.handlers = ClientEventHandler()
        for event in EVENTS:
            setattr(self.handlers, f"on_{event}", partial(self._hear, event))
        self._is_binary = encoding == "protobuf"
        self.client = Client(
            f"{'wss' if at.is_secure else 'ws'}://{at.host}:{at.port}/connection/websocket",
            self.handlers,
            data=self.payload(data),
            use_protobuf=self._is_binary,
            min_reconnect_delay=0.02,
            max_reconnect_delay=0.2,
            timeout=PATIENCE_SECONDS,
            proxy=None,
            **options,
        )

    async def connect(self) -> None:
        """Returns after the first attempt, whatever became of it."""
        await in_time(self.client.connect(), "end of the first attempt to connect")

    def payload(self, value: Any) -> Any:
        """As the SDK wants data: bytes over protobuf, plain values over JSON."""
        return json.dumps(value).encode() if self._is_binary else value

    async def _hear(self, event: str, context: Any) -> None:
        if event == "publication":
            context = replace(context, pub=self._read(context.pub))
        self.journal.add(Heard(event, context))

    def _read(self, publication: Publication) -> Publication:
        if not self._is_binary:
            return publication
        return replace(publication, data=json.loads(publication.data))

    def all(self, event: str) -> list:
        """The contexts of all events of this name so far."""
        return [heard.context for heard in self.journal.entries if heard.event == event]

    async def event(self, name: str, count: int = 1) -> Any:
        """The context of the `count`th event of this name."""
        heard = await self.journal.take(
            count, lambda heard: heard.event == name, f"event {name} number {count}"
        )
        return heard[-1].context

    async def publications(self, count: int) -> list[Seen]:
        """Waits until there are so many publications, and gives all."""
        await self.event("publication", count)
        return self.seen()

    def seen(self) -> list[Seen]:
        return as_seen(context.pub for context in self.all("publication"))

    async def history(
        self,
        channel: str,
        limit: int = 0,
        since: StreamPosition | None = None,
        reverse: bool = False,
    ) -> tuple[list[Seen], StreamPosition]:
        """Publications of `channel`, and its top."""
        given = await self.client.history(channel, limit=limit, since=since, reverse=reverse)
        publications = [self._read(publication) for publication in given.publications]
        return as_seen(publications), StreamPosition(given.offset, given.epoch)

    async def fence(self) -> None:
        """Comes back after everything that the server sent before.

        The server answers one connection's commands in order with its pushes, and the SDK handles
        them in order.
        """
        await self.history(self.all("subscribed")[-1].channel)


def as_seen(publications: Sequence[Publication]) -> list[Seen]:
    return [(each.offset, each.data["order_id"], each.data["status"]) for each in publications]


def offsets_from_one(order: int, *statuses: str) -> list[Seen]:
    """What a channel holds that has carried these statuses of one order and nothing else."""
    return [(at, order, status) for at, status in enumerate(statuses, start=1)]
