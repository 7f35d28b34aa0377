"""A proxy before PostgreSQL that ends a connection at one message of its client. On a Unix socket, where what was said
last still arrives when the other end is gone: as a server says that it crashed."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy

_SAYS = b"SWARNING\0VWARNING\0C57P02\0Mterminating connection because of crash of another server process\0\0"
LAST_WORDS = b"N" + (len(_SAYS) + 4).to_bytes(4, "big") + _SAYS
#: How an answer ends, but for one byte.
READY = b"Z\0\0\0\5"


@dataclass
class CuttingProxy:
    """Passes everything on, and ends the connection of one message."""

    server: str
    left: int = 0
    kind: str = ""
    kinds = ("cut", "answer lost", "gone afterwards")

    def __post_init__(self) -> None:
        given = sqlalchemy.make_url(self.server)
        self._beyond = f"{given.query['host']}/.s.PGSQL.{given.port or 5432}"
        self._folder = tempfile.TemporaryDirectory(prefix="cut")
        self.url = given.update_query_dict({"host": self._folder.name}).render_as_string(hide_password=False)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"{self._folder.name}/{Path(self._beyond).name}")
        self._listener.listen()
        self._turns = threading.Lock()
        self._pairs: list[Pair] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def fail_at(self, call: int, kind: str) -> None:
        """`cut`: the server never gets it. `answer lost`: it does what was asked, and nobody hears of it. `gone
        afterwards`: its answer arrives and a last word, and nobody is there when the client sends again."""
        self.left, self.kind = call, kind

    def leave(self) -> None:
        """Say of every connection that the server crashed, and be gone when this returns."""
        for pair in self._pairs:
            with contextlib.suppress(OSError):
                pair.client.sendall(LAST_WORDS)
                pair.client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()
        self._folder.cleanup()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _address = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._beyond)
                self._pairs.append(Pair(self, client, server))
                self._pairs[-1].start()

    def turn(self) -> str:
        """What happens to this message: "" when it is passed on."""
        with self._turns:
            self.left -= 1
            return self.kind if self.left == 0 else ""


@dataclass
class Pair:
    """One connection of a client and the one that it has with the server."""

    proxy: CuttingProxy
    client: socket.socket
    server: socket.socket
    goes: bool = False

    def start(self) -> None:
        for work in (self._ask, self._answer):
            threading.Thread(target=work, daemon=True).start()

    def _ask(self) -> None:
        with contextlib.suppress(OSError):
            while message := self.client.recv(1 << 20):
                what = self.proxy.turn()
                if what == "cut":
                    break
                if what == "answer lost":
                    self.client.shutdown(socket.SHUT_WR)
                    self.server.sendall(message)
                    self.server.shutdown(socket.SHUT_WR)
                    return  # the server ends when it is done, and _answer with it
                self.goes = self.goes or bool(what)
                self.server.sendall(message)
        self._end()

    def _answer(self) -> None:
        with contextlib.suppress(OSError):
            while message := self.server.recv(1 << 20):
                ends = self.goes and message[-6:-1] == READY
                with contextlib.suppress(OSError):
                    self.client.sendall(message + (LAST_WORDS if ends else b""))
                if ends:
                    break
        self._end()

    def _end(self) -> None:
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
