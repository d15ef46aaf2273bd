"""A TCP relay in front of the server: a network that can fail."""

import asyncio
import contextlib
import socket
import struct

from lib.journal import in_time
from lib.server import HOST, Server

CHUNK_BYTES = 64 * 1024
# SO_LINGER of 0 s: closing sends a reset, as a network does that forgets its connections.
RESET = struct.pack("ii", 1, 0)


class Cable:
    host = HOST

    def __init__(self, server: Server):
        self.dials = 0
        """How many times a client has dialled, the refused ones included."""
        self.is_secure = server.is_secure
        self._server = server
        self._is_cut = False
        self._is_deaf = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._joins: set[asyncio.Task] = set()

    @classmethod
    async def to(cls, server: Server) -> "Cable":
        cable = cls(server)
        cable._listener = await asyncio.start_server(cable._on_dial, HOST, 0)
        cable.port = cable._listener.sockets[0].getsockname()[1]
        return cable

    def _on_dial(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.dials += 1
        if self._is_cut:
            return reset(writer)
        join = asyncio.create_task(self._join(reader, writer))
        self._joins.add(join)
        join.add_done_callback(self._joins.discard)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            # The server may be down, and either side may reset: all of it is a connection's end.
            with contextlib.suppress(OSError):
                up_reader, up_writer = await asyncio.open_connection(HOST, self._server.port)
                self._writers.add(up_writer)
                try:
                    await asyncio.gather(
                        self._carry(reader, up_writer),
                        self._carry(up_reader, writer, downwards=True),
                    )
                finally:
                    self._writers.discard(up_writer)
                    reset(up_writer)
        finally:
            self._writers.discard(writer)
            reset(writer)

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, downwards: bool = False
    ) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            if not (downwards and self._is_deaf):
                writer.write(chunk)
                await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()

    def lose_answers(self) -> None:
        """What the server sends from now on is lost, while it still believes in the connection."""
        self._is_deaf = True

    def cut(self) -> None:
        """Ends the connections without a WebSocket close, and takes no new ones."""
        self._is_cut = True
        for writer in self._writers:
            reset(writer)

    def mend(self) -> None:
        self._is_cut = False
        self._is_deaf = False

    async def close(self) -> None:
        self.cut()
        self._listener.close()
        ends = asyncio.gather(*self._joins, return_exceptions=True)
        await in_time(ends, "end of the connections of a cable that was cut")


def reset(writer: asyncio.StreamWriter) -> None:
    if not writer.transport.is_closing():
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
