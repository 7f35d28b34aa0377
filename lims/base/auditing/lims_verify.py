#!/usr/bin/env python3
"""Verify an export of the record of changes with nothing but Python's standard library (3.8 or newer)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

ZEROS = "0" * 64
_sha256 = hashlib.sha256


# --- RFC 6962 and the chain ------------------------------------------------------------------------------------


def leaf_hash(text: str) -> bytes:
    return _sha256(b"\x00" + text.encode()).digest()


def leaf_hashes(texts: Iterable[str]) -> list[bytes]:
    """The leaves of many entries, each given as "seq<TAB>op<TAB>table<TAB>pk<TAB>payload"."""
    sha = _sha256
    return [sha(b"\x00" + text.encode()).digest() for text in texts]


def merkle_root(leaves: list[bytes]) -> bytes:
    """Root of RFC 6962 over leaf hashes: pairs level by level, an odd last one goes up as it is."""
    level, sha = leaves, _sha256
    if not level:
        return sha(b"").digest()
    while len(level) > 1:
        above = [sha(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2])]
        if len(level) & 1:
            above.append(level[-1])
        level = above
    return level[0]


def context_text(txid: int, actor: str, at: str, reason: str, source: str, entries: int) -> str:
    """Leaf 0 of every transaction. `at` is UTC as YYYY-MM-DDTHH:MM:SS.ffffffZ."""
    return json.dumps([txid, actor, at, reason, source, entries], ensure_ascii=False, separators=(",", ":"))


def chained_hash(number: int, previous: bytes, root: bytes) -> bytes:
    return _sha256(b"\x02" + number.to_bytes(8, "big") + previous + root).digest()
