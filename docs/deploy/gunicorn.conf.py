"""gunicorn for the larger installation: two requests at a time in each worker, more while one takes long.

The parent loads the application and the workers are forked from it: a worker that takes another's place serves at once and
shares its memory. So new code is served after a restart, not after a reload.
"""

import gc
import os
import sys
from pathlib import Path

from pydantic import ValidationError

from lims.settings import GC_THRESHOLD, SHARED_COUNTERS, Settings

gc.set_threshold(*GC_THRESHOLD)  # before what is imported by the thousand

from lims.base.problems import Refused  # noqa: E402
from lims.cli import keep_private, sentences  # noqa: E402
from lims.operations.counters import empty, made_folder  # noqa: E402
from lims.operations.even_worker import EvenWorker  # noqa: E402
from lims.operations.family import Shares  # noqa: E402
from lims.operations.serving import before_forking, refuse_to_start_wrong  # noqa: E402

try:
    _settings = Settings()
except ValidationError as error:
    sys.exit("\n".join(sentences(error)))
_host = f"[{_settings.host}]" if ":" in _settings.host else _settings.host
#: LIMS_HOST and LIMS_PORT, or in their place LIMS_BIND, which may be a socket's file: unix:/run/lims/web.sock
bind = os.environ.get("LIMS_BIND") or f"{_host}:{_settings.port}"
worker_class = "lims.operations.even_worker.EvenWorker"  # gthread, each with its share of the connections
workers = _settings.serving_processes()
threads = _settings.threads
timeout = 60
#: A worker that is told to end finishes what it has begun.
graceful_timeout = _settings.stop_seconds
keepalive = 5
#: Slow leaks of any library end here. Not sooner: whoever takes a worker's place has templates to compile and statements to
#: prepare, and serves a third less for ten seconds. The jitter keeps workers from going together.
max_requests = 100_000
max_requests_jitter = 50_000
#: Ours says more (lims/operations/logs.py).
accesslog = None

_shares = Shares(workers)


def on_starting(_server):
    """What each worker would refuse with a traceback is told once, in sentences."""
    keep_private()  # not before: a gunicorn that goes into the background sets it anew
    try:
        refuse_to_start_wrong(_settings)
        if os.environ.get(SHARED_COUNTERS):
            made_folder(Path(os.environ[SHARED_COUNTERS]))
            empty(Path(os.environ[SHARED_COUNTERS]))  # not at a reload, when workers count that live
    except Refused as error:
        sys.exit("\n".join(sentences(error)))
    from lims.wsgi import app  # here and not at the top: only now is it known that it can be loaded

    before_forking(app)


def pre_fork(server, worker):
    living = server.WORKERS.values()
    worker.given_place(_shares, [one.place for one in living if isinstance(one, EvenWorker)])


def child_exit(_server, worker):
    if isinstance(worker, EvenWorker):
        _shares.leave(worker.place)
    if os.environ.get(SHARED_COUNTERS):
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(worker.pid)
