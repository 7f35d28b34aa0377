"""Addresses that are keys: whoever knows one may read it. They stand in no log, go to nobody as a referrer, are kept
by no cache and no search engine, and no cookie has a say in them."""

from __future__ import annotations

import logging
import re
from typing import Any

#: What follows is the key.
PREFIX = "/s/"
_KEY = re.compile(r"(/s/)[^/\s?#\"'&<>\\]+", re.IGNORECASE)
_ENCODED = re.compile(r"(%2[fF]s%2[fF])[^/\s?#\"'&<>\\%]+")


def is_secret(path: str) -> bool:
    return path.startswith(PREFIX)


def hidden(text: str) -> str:
    """`text` with every key replaced."""
    return _ENCODED.sub(r"\1…", _KEY.sub(r"\1…", text))


def _hidden_in(value: Any) -> Any:
    return hidden(value) if isinstance(value, str) else value


def hide_in_logs() -> None:
    """No record of any logger in this process carries a key: not the server's line for a request, not an error's."""
    make = logging.getLogRecordFactory()
    if getattr(make, "hides_keys", False):
        return

    def record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        made = make(*args, **kwargs)
        made.msg = _hidden_in(made.msg)
        if isinstance(made.args, tuple):
            made.args = tuple(_hidden_in(item) for item in made.args)
        elif isinstance(made.args, dict):
            made.args = {key: _hidden_in(item) for key, item in made.args.items()}
        return made

    record.hides_keys = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(record)
