"""Addresses that are keys: whoever knows one may read it. They stand in no log, go to nobody as a referrer, are kept
by no cache and no search engine, and no cookie has a say in them."""

from __future__ import annotations

import logging
import re
from typing import Any

#: What follows is the key of a trial sheet.
PREFIX = "/s/"
#: And of a person's calendar.
PREFIXES = (PREFIX, "/calendar/")
_KEY = re.compile(r"(/(?:s|calendar)/)[^/\s?#\"'&<>\\]+", re.IGNORECASE)
_ENCODED = re.compile(r"(%2[fF](?:s|calendar)%2[fF])[^/\s?#\"'&<>\\%]+")

_PLAIN = logging.Formatter()


def is_secret(path: str) -> bool:
    return path.startswith(PREFIXES)


def hidden(text: str) -> str:
    """`text` with every key replaced."""
    return _ENCODED.sub(r"\1…", _KEY.sub(r"\1…", text))


def hide_in_logs() -> None:
    """No record of any logger in this process carries a key: not the server's line for a request, not an error's."""
    make = logging.getLogRecordFactory()
    if getattr(make, "hides_keys", False):
        return

    def record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        made = make(*args, **kwargs)
        try:
            said = made.getMessage()
        except (TypeError, ValueError, KeyError):  # the logging call itself is wrong, and will be told so
            return made
        if hidden(said) != said:
            made.msg, made.args = hidden(said), ()
        if made.exc_info and made.exc_info[0] is not None:
            told = _PLAIN.formatException(made.exc_info)
            if hidden(told) != told:
                made.exc_text = hidden(told)  # formatters take it as it stands
        return made

    record.hides_keys = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(record)
