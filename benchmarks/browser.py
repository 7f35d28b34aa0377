"""What the people of `make load` ask with.

It shares the machine with the server, so it does next to nothing. Python's own client reads the head of an answer as that of
a mail: with it, asking took one part in twenty-six of the machine.
"""

from __future__ import annotations

import re
import socket
import time
import urllib.parse

from benchmarks.laboratory import PASSWORD

#: A connection that nobody used for so long may be closed: gunicorn does it after five seconds.
KEPT_S = 4.0
#: Seconds that an answer is waited for.
PATIENCE_S = 60
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_COOKIE = re.compile(rb"\r\nset-cookie: *([^=\r\n]+)=([^;\r\n]*)", re.IGNORECASE)


class Browser:
    """One connection that stays open, one jar of cookies; answers that say how long they are."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.cookies: dict[str, str] = {}
        #: Requests, and those of them that were sent again because their connection was closed while it was in use.
        self.asked = self.sent_again = 0
        self.answered_at = time.monotonic()
        self._socket: socket.socket | None = None

    def ask(
        self, method: str, path: str, body: str = "", headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """(status, content). Raises: OSError, ValueError for what is no answer."""
        content = body.encode()
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", "Accept-Encoding: identity"]
        if content:
            lines.append(f"Content-Length: {len(content)}")
        if self.cookies:
            lines.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        sent = ("\r\n".join(lines) + "\r\n\r\n").encode() + content
        self.asked += 1
        begun = time.monotonic()
        try:
            head, answer = self._exchanged(sent)
        except (BrokenPipeError, ConnectionResetError):
            # A worker of the server that is replaced closes what is open; a browser asks again by itself. Counted: a
            # process that crashes closes them as well.
            self.sent_again += begun - self.answered_at < KEPT_S
            self.close()
            head, answer = self._exchanged(sent)
        self.answered_at = time.monotonic()
        for name, value in _COOKIE.findall(head):
            self.cookies[name.decode()] = value.decode()
        return int(head[9:12]), answer

    def close(self) -> None:
        """The next request opens another connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _exchanged(self, sent: bytes) -> tuple[bytes, bytes]:
        """(head, content) of the answer. Raises: ConnectionResetError when there is none, ValueError when it says no length
        or ends before it."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(sent)
        found = self._socket.recv(65536)
        if not found:
            raise ConnectionResetError("closed without an answer")
        while (end := found.find(b"\r\n\r\n")) < 0:
            found += self._more()
        head, parts = found[:end], [found[end + 4 :]]
        length = _LENGTH.search(head)
        if length is None:
            raise ValueError(f"an answer without a length: {head[:80]!r}")
        missing = int(length[1]) - len(parts[0])
        while missing > 0:
            parts.append(self._more())
            missing -= len(parts[-1])
        if _CLOSES.search(head):
            self.close()
        return head, b"".join(parts)

    def _more(self) -> bytes:
        assert self._socket is not None
        found = self._socket.recv(65536)
        if not found:
            raise ValueError("the answer ended before its length")
        return found

    def sign_in(self) -> str:
        """Returns the token that writing needs."""
        token = _token(self.ask("GET", "/login/")[1])
        self.sign_in_as({"username": "technician", "password": PASSWORD, "csrf_token": token})
        return _token(self.ask("GET", "/profile/")[1])

    def sign_in_as(self, given: dict[str, str]) -> None:
        status, _page = self.ask("POST", "/login/", urllib.parse.urlencode(given), FORM)
        assert status == 302, status


def _token(page: bytes) -> str:
    found = re.search(rb'name="csrf_token" value="([^"]+)"', page)
    assert found is not None
    return found.group(1).decode()
