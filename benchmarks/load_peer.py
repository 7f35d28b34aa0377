"""The peer of `make load` in processes of its own: a stock Flask-AppBuilder over a copy of the same data, served by waitress
as ours is, a process a core and four threads each.

`python -m benchmarks.load_peer DATABASE PORT USERNAME` serves until it is told to stop.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from pathlib import Path

from waitress.server import create_server

from benchmarks.pages_peer import PASSWORD, make, strip

THREADS = 4


def main(path: Path, port: int, username: str) -> None:
    strip(path)
    app, appbuilder = make(path)
    with app.app_context():
        role = appbuilder.sm.find_role("Admin")
        appbuilder.sm.add_user(username, "S", "S", "stock@example.com", role, PASSWORD)
    gc.collect()
    gc.freeze()  # as ours
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen(1024)
    children = []
    for _core in range(os.cpu_count() or 1):
        child = os.fork()
        if child == 0:
            create_server(app, sockets=[listening], threads=THREADS, ident=None).run()
            os._exit(0)
        children.append(child)

    def stop(_number: int, _frame: object) -> None:
        for child in children:
            os.kill(child, signal.SIGKILL)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    os.waitpid(-1, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
