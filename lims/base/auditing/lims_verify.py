#!/usr/bin/env python3
"""Verify an export of the record of changes with nothing but Python's standard library (3.8 or newer).

    python lims_verify.py FOLDER [--checkpoint FILE …] [--against FOLDER] [--key FILE] [--list] [--json]

Looks at three things:
1. The chain: each transaction's Merkle root (RFC 6962) over its context and entries, and the hash over its number, the
   hash before and the root. One altered byte breaks it, and the entry is named.
2. The rows: replaying the entries must give the rows as they stand now. An edit past the triggers is named.
3. The anchors: signed checkpoints (C2SP signed notes, Ed25519) that somebody outside kept. Only they tell when the end
   was cut off or everything was written anew, so what no anchor covers is said. An earlier export (--against) also
   tells which single entries such a rewriting has altered.

Exit code: 0 nothing found, 1 something was altered, 2 cannot be read.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import gc
import hashlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

ZEROS = "0" * 64
_sha256 = hashlib.sha256


def _sha256_of(raw: bytes) -> Any:
    return _sha256(raw).digest()


#: Tells two texts apart within this process. SipHash under a key that the process draws by chance: whoever altered a row
#: cannot know it, and hits the same 64 bits once in 2^64 tries. SHA-256 where the key is given from outside.
_print_of: Callable[[bytes], Any] = (
    hash
    if sys.flags.hash_randomization and os.environ.get("PYTHONHASHSEED", "random") == "random"
    else _sha256_of
)


# --- RFC 6962 and the chain ------------------------------------------------------------------------------------


def leaf_hash(text: str) -> bytes:
    return _sha256(b"\x00" + text.encode("utf-8", "surrogateescape")).digest()


def leaf_hashes(texts: Iterable[str]) -> list[bytes]:
    """The leaves of many entries, each given as "seq<TAB>op<TAB>table<TAB>pk<TAB>payload"."""
    sha = _sha256
    return [sha(b"\x00" + text.encode()).digest() for text in texts]


def merkle_root(leaves: list[bytes]) -> bytes:
    """Root of RFC 6962 over leaf hashes: pairs level by level, an odd last one goes up as it is."""
    level, sha = leaves, _sha256
    if len(level) == 2:  # most transactions change one row
        return sha(b"\x01" + level[0] + level[1]).digest()
    if not level:
        return sha(b"").digest()
    while len(level) > 1:
        above = [sha(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2])]
        if len(level) & 1:
            above.append(level[-1])
        level = above
    return level[0]


_CONTEXT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_quoted = json.encoder.encode_basestring


def context_text(txid: int, actor: str, at: str, reason: str, source: str, entries: int) -> str:
    """Leaf 0 of every transaction: a JSON array. `at` is UTC as YYYY-MM-DDTHH:MM:SS.ffffffZ."""
    try:
        # What the encoder below writes; a third of its time, at the price of every single write.
        return f"[{txid:d},{_quoted(actor)},{_quoted(at)},{_quoted(reason)},{_quoted(source)},{entries:d}]"
    except (TypeError, ValueError):  # a value of another kind: tampered with, which is to be told
        return _CONTEXT.encode([txid, actor, at, reason, source, entries])


def chained_hash(number: int, previous: bytes, root: bytes) -> bytes:
    return _sha256(b"\x02" + number.to_bytes(8, "big") + previous + root).digest()


# --- Ed25519 (RFC 8032), verification only ---------------------------------------------------------------------

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_I = pow(2, (_P - 1) // 4, _P)


def _recover_x(y: int, sign: int) -> int | None:
    if y >= _P:
        return None
    x2 = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    if x2 == 0:
        return None if sign else 0
    x = pow(x2, (_P + 3) // 8, _P)
    if (x * x - x2) % _P:
        x = x * _I % _P
    if (x * x - x2) % _P:
        return None
    return _P - x if (x & 1) != sign else x


def _point(data: bytes) -> Any:
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    x = _recover_x(y, sign)
    return None if x is None else (x, y, 1, x * y % _P)


def _add(p: Any, q: Any) -> Any:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % _P, (p[1] + p[0]) * (q[1] + q[0]) % _P
    c, d = 2 * p[3] * q[3] * _D % _P, 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _times(scalar: int, p: Any) -> Any:
    q = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            q = _add(q, p)
        p = _add(p, p)
        scalar >>= 1
    return q


_BASE = _point(bytes.fromhex("5866666666666666666666666666666666666666666666666666666666666666"))


def ed25519_valid(public: bytes, message: bytes, signature: bytes) -> bool:
    if len(public) != 32 or len(signature) != 64:
        return False
    a, r = _point(public), _point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= _L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % _L
    left, right = _times(s, _BASE), _add(r, _times(h, a))
    return bool(
        (left[0] * right[2] - right[0] * left[2]) % _P == 0
        and (left[1] * right[2] - right[1] * left[2]) % _P == 0
    )


# --- signed notes ----------------------------------------------------------------------------------------------


class Key(NamedTuple):
    """A verifier key: `name+hash+base64(0x01 | public key)`."""

    name: str
    id: bytes
    public: bytes


class Note(NamedTuple):
    """A checkpoint that was read: how many transactions it covers and the hash of the last."""

    origin: str
    size: int
    root: str
    body: str
    signatures: list[tuple[str, bytes, bytes]]


def key_id(name: str, public: bytes) -> bytes:
    return _sha256(name.encode() + b"\n\x01" + public).digest()[:4]


def read_key(text: str) -> Key:
    """Raises: ValueError."""
    name, short, packed = text.strip().split("+", 2)
    raw = base64.b64decode(packed, validate=True)
    if raw[:1] != b"\x01" or len(raw) != 33 or key_id(name, raw[1:]).hex() != short:
        raise ValueError("not an Ed25519 verifier key")
    return Key(name, bytes.fromhex(short), raw[1:])


def note_body(origin: str, size: int, root: str) -> str:
    return f"{origin}\n{size}\n{base64.b64encode(bytes.fromhex(root)).decode()}\n"


def read_note(text: str) -> Note:
    """Raises: ValueError."""
    body, _blank, tail = text.replace("\r\n", "\n").partition("\n\n")
    lines = body.split("\n")
    if len(lines) < 3 or not lines[1].isascii() or not lines[1].isdigit():
        raise ValueError("not a checkpoint")
    root = base64.b64decode(lines[2], validate=True)
    if len(root) != 32:
        raise ValueError("not a checkpoint")
    signatures = []
    for line in tail.splitlines():
        mark, name, packed = [*line.split(" "), "", ""][:3]
        if mark != "\u2014":
            continue
        raw = base64.b64decode(packed, validate=True)
        signatures.append((name, raw[:4], raw[4:]))
    return Note(lines[0], int(lines[1]), root.hex(), body + "\n", signatures)


def note_is_signed(note: Note, key: Key) -> bool:
    return any(
        name == key.name and short == key.id and ed25519_valid(key.public, note.body.encode(), signature)
        for name, short, signature in note.signatures
    )


def note_is_of(note: Note, public: bytes) -> bool:
    """Is it signed by this key, under the name that it gives itself? A laboratory may have had another name then."""
    return note_is_signed(note, Key(note.origin, key_id(note.origin, public), public))


# --- what is verified ------------------------------------------------------------------------------------------


class Sealed(NamedTuple):
    """A row of audit_transactions; `at` as it is hashed, `leaves` as bytes."""

    number: int
    txid: int
    actor: str
    at: str
    reason: str
    source: str
    entries: int
    root: str
    previous: str
    hash: str
    leaves: bytes


class Source:
    """Where the record is read from: an export here, the database in lims/audit. Each is read once or twice."""

    def entries(self) -> Iterator[Any]:
        """(seq, txid, op, table, pk, payload) by seq."""
        raise NotImplementedError

    def transactions(self) -> Iterator[Sealed]:
        """By number."""
        raise NotImplementedError

    def rows(self) -> Iterator[Any]:
        """(table, pk, JSON) of the rows as they stand now."""
        raise NotImplementedError

    def notes(self) -> Iterator[tuple[str, str]]:
        """(name, text) of the checkpoints that are kept with the record."""
        raise NotImplementedError

    def leaves(self) -> Iterator[tuple[int, int, bytes]]:
        """(seq, txid, leaf hash) of the entries."""
        for seq, txid, op, table, pk, payload in self.entries():
            yield seq, txid, leaf_hash(f"{seq}\t{op}\t{table}\t{pk}\t{payload}")

    def written(self) -> Iterator[tuple[bytes, bytes, bytes, Any]]:
        """(op, table, pk, print of the payload) of the entries."""
        for _seq, _txid, op, table, pk, payload in self.entries():
            yield op.encode(), _bytes(table), _bytes(pk), _print_of(_bytes(payload))

    def standing(self) -> Iterator[tuple[bytes, bytes, bytes]]:
        """(table, pk, JSON) of the rows."""
        for table, pk, text in self.rows():
            yield _bytes(table), _bytes(pk), _bytes(text)

    def rows_checked(self) -> Callable[[], tuple[int, list[Finding]]]:
        """Begins to check the rows; what is returned waits for the end."""
        return lambda: check_rows(self)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


class Finding(NamedTuple):
    """`transaction` is 0 and `table` empty where the finding is about none."""

    kind: str
    message: str
    table: str = ""
    pk: str = ""
    transaction: int = 0


class Report:
    """What was looked at and what was found."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        #: What is odd but no alteration.
        self.notices: list[str] = []
        self.transactions = 0
        self.entries = 0
        self.rows = 0
        self.head = ZEROS
        #: The last transaction that a checkpoint from outside covers.
        self.anchored = 0
        #: Entries of later transactions.
        self.unanchored_entries = 0
        #: The last transaction that a checkpoint kept with the record covers.
        self.signed = 0

    @property
    def good(self) -> bool:
        return not self.findings

    def found(self, kind: str, message: str, table: str = "", pk: str = "", transaction: int = 0) -> None:
        self.findings.append(Finding(kind, message, table, pk, transaction))


#: The state of a row after its entries: the print of what was written once, CHANGED when it must be replayed, GONE if
#: it was deleted.
CHANGED, GONE = b"changed", b"gone"


def verify(
    source: Source,
    anchors: Iterable[tuple[str, str]] = (),
    key: Key | None = None,
    kept: Iterable[Sealed] = (),
    rows: bool = True,
) -> Report:
    """The whole verification. `anchors`: (name, text) of checkpoints that were kept outside; `kept`: the transactions of
    an earlier export that was kept outside, which name the single entries that a rewriting has altered."""
    report = Report()
    rows_checked = source.rows_checked() if rows else None
    leaves = _read_leaves(source, report)
    hashes, broken, counts = _check_chain(source, report, leaves)
    for txid, orphans in leaves.items():
        if txid not in counts:
            broken[txid] = (None, orphans)
    if broken:
        _name_entries(source, report, broken)
    _check_notes(source.notes(), report, hashes, key, outside=False)
    _check_notes(anchors, report, hashes, key, outside=True)
    _check_kept(source, report, kept)
    report.unanchored_entries = sum(count for number, count in counts.values() if number > report.anchored)
    if rows_checked is not None:
        report.rows, found = rows_checked()
        report.findings += found
    return report


def _read_leaves(source: Source, report: Report) -> dict[int, list[bytes]]:
    """The leaf hashes of each transaction, by txid."""
    leaves: dict[int, list[bytes]] = {}
    misplaced: dict[int, int] = {}
    present: int | None = None
    mine: list[bytes] = []
    last_seq, count = -1, 0
    for seq, txid, leaf in source.leaves():
        if txid != present:
            present, mine = txid, leaves.setdefault(txid, [])
        mine.append(leaf)
        if seq <= last_seq:
            misplaced[count] = last_seq
        last_seq = seq
        count += 1
    report.entries = count
    if misplaced:
        for place, (seq, _txid, _op, table, pk, _payload) in enumerate(source.entries()):
            if place in misplaced:
                report.found("order", f"entry {seq} stands after entry {misplaced[place]}", table, pk)
    return leaves


def _check_chain(
    source: Source, report: Report, leaves: dict[int, list[bytes]]
) -> tuple[dict[int, str], dict[int, Any], dict[int, tuple[int, int]]]:
    """Returns hash by number, what is broken by txid, and (number, entries) by txid."""
    hashes: dict[int, str] = {}
    broken: dict[int, Any] = {}
    counts: dict[int, tuple[int, int]] = {}
    number, previous, before = 0, ZEROS, ""
    for sealed in source.transactions():
        number += 1
        if sealed.number != number:
            if sealed.number > number:
                gone = str(number) if sealed.number == number + 1 else f"{number} to {sealed.number - 1}"
                report.found("missing", f"transaction {gone} is missing", transaction=number)
            else:
                report.found("order", f"transaction {sealed.number} stands twice", transaction=sealed.number)
            number = sealed.number
        mine = leaves.get(sealed.txid, [])
        counts[sealed.txid] = (number, len(mine))
        context = leaf_hash(
            context_text(sealed.txid, sealed.actor, sealed.at, sealed.reason, sealed.source, sealed.entries)
        )
        try:
            root_matches = merkle_root([context, *mine]).hex() == sealed.root
            chained = chained_hash(number, bytes.fromhex(sealed.previous), bytes.fromhex(sealed.root)).hex()
        except (ValueError, OverflowError):
            root_matches, chained = False, ""
        if chained != sealed.hash:
            report.found(
                "seal",
                f"transaction {number}: its hash does not follow from number, hash before and root",
                transaction=number,
            )
        if sealed.previous != previous:
            report.found(
                "chain",
                f"transaction {number} does not follow transaction {number - 1}: one of them was altered or replaced",
                transaction=number,
            )
        if not root_matches:
            broken[sealed.txid] = (sealed, mine)
        elif len(mine) != sealed.entries:
            report.found(
                "count",
                f"transaction {number} has {len(mine)} entries, not {sealed.entries}",
                transaction=number,
            )
        if sealed.at < before[:16]:  # transactions of several processes may differ by seconds
            report.notices.append(
                f"the clock was set back: transaction {number} is of {sealed.at}, transaction {number - 1} of {before}"
            )
        hashes[number], previous, before = sealed.hash, sealed.hash, sealed.at
    report.transactions, report.head = number, previous
    return hashes, broken, counts


def _name_entries(source: Source, report: Report, broken: dict[int, Any]) -> None:
    """Which entries of the broken transactions were altered: the stored leaves, where the root proves them, tell."""
    found: dict[int, list[Any]] = {}
    for entry in source.entries():
        if entry[1] in broken:
            found.setdefault(entry[1], []).append(entry)
    for txid, (sealed, mine) in broken.items():
        entries = found.get(txid, [])
        if sealed is None:
            for entry in entries:
                report.found(
                    "unsealed",
                    f"entry {entry[0]} ({_row(entry)}) belongs to no sealed transaction",
                    entry[3], entry[4],
                )  # fmt: skip
            continue
        _name_in_transaction(report, sealed, mine, entries)


def _name_in_transaction(report: Report, sealed: Sealed, mine: list[bytes], entries: list[Any]) -> None:
    number, packed = sealed.number, sealed.leaves
    stored = [packed[at : at + 32] for at in range(0, len(packed), 32)]
    context = leaf_hash(
        context_text(sealed.txid, sealed.actor, sealed.at, sealed.reason, sealed.source, sealed.entries)
    )
    proven = merkle_root([context, *stored]).hex() == sealed.root
    if stored == mine:
        report.found(
            "context",
            f"transaction {number}: its person, time, reason, source or root was altered",
            transaction=number,
        )
        return
    sealed_leaves, present_leaves = set(stored), set(mine)
    named = False
    for entry, leaf in zip(entries, mine):
        if leaf not in sealed_leaves:
            named = True
            report.found(
                "entry",
                f"transaction {number}: entry {entry[0]} ({_row(entry)}) is not what was sealed",
                entry[3], entry[4], number,
            )  # fmt: skip
    gone = sum(leaf not in present_leaves for leaf in stored) - sum(
        leaf not in sealed_leaves for leaf in mine
    )
    if gone > 0:
        report.found(
            "removed", f"transaction {number}: {gone} of {len(stored)} entries are gone", transaction=number
        )
    elif not named:
        report.found("order", f"transaction {number}: its entries stand in another order", transaction=number)
    if not proven:
        report.found(
            "context",
            f"transaction {number}: neither its entries nor its list of leaves give its root",
            transaction=number,
        )


def _row(entry: Any) -> str:
    return f"{entry[3]} {entry[4]}"


def _check_notes(
    notes: Iterable[tuple[str, str]],
    report: Report,
    hashes: dict[int, str],
    key: Key | None,
    outside: bool,
) -> None:
    covered = 0
    for name, text in notes:
        try:
            note = read_note(text)
        except (ValueError, binascii.Error):
            report.found("note", f"{name}: is not a checkpoint")
            continue
        if key is not None and not note_is_of(note, key.public):
            report.found("note", f"{name}: its signature is not of the key {key.name}+{key.id.hex()}")
            continue
        if note.size > report.transactions:
            report.found(
                "anchor",
                f"{name}: transactions {report.transactions + 1} to {note.size} are cut off",
                transaction=report.transactions + 1,
            )
        elif (hashes.get(note.size, "") if note.size else ZEROS) != note.root:
            report.found(
                "anchor",
                f"{name}: transaction {note.size} or one before it is not what was signed"
                f" (the last anchor that holds covers {covered})",
                transaction=note.size,
            )
        else:
            covered = max(covered, note.size)
    if outside:
        report.anchored = covered
    else:
        report.signed = covered


def _check_kept(source: Source, report: Report, kept: Iterable[Sealed]) -> None:
    """Against what was exported before: whole transactions first, then the entries of those that differ."""
    before = {sealed.number: sealed for sealed in kept}
    if not before:
        return
    differing: dict[int, Sealed] = {}
    for sealed in source.transactions():
        then = before.pop(sealed.number, None)
        if then is None or sealed.hash == then.hash:
            continue
        if sealed[1:7] != then[1:7]:
            report.found(
                "kept",
                f"transaction {sealed.number}: was {list(then[1:7])} when it was exported, is {list(sealed[1:7])}",
                transaction=sealed.number,
            )
        if sealed.leaves != then.leaves:
            differing[sealed.txid] = then
    for number in sorted(before):
        report.found("kept", f"transaction {number} was exported and is gone", transaction=number)
    sealed_leaves = {
        txid: {then.leaves[at : at + 32] for at in range(0, len(then.leaves), 32)}
        for txid, then in differing.items()
    }
    for seq, txid, op, table, pk, payload in source.entries() if differing else ():
        if txid not in differing:
            continue
        leaf = leaf_hash(f"{seq}\t{op}\t{table}\t{pk}\t{payload}")
        if leaf not in sealed_leaves[txid]:
            report.found(
                "kept",
                f"transaction {differing[txid].number}: entry {seq} ({table} {pk}) is not what was exported",
                table, pk, differing[txid].number,
            )  # fmt: skip
        sealed_leaves[txid].discard(leaf)
    for txid, left in sealed_leaves.items():
        if left:
            report.found(
                "kept",
                f"transaction {differing[txid].number}: {len(left)} entries that were exported are gone or altered",
                transaction=differing[txid].number,
            )
    if differing:
        report.anchored = min(report.anchored, min(then.number for then in differing.values()) - 1)


# --- the rows as they stand now --------------------------------------------------------------------------------


def _states(source: Source) -> dict[bytes, dict[bytes, Any]]:
    """What is known of each row after all entries, by table and key."""
    state: dict[bytes, dict[bytes, Any]] = {}
    for op, table, pk, written in source.written():
        rows = state.get(table)
        if rows is None:
            rows = state[table] = {}
        if op == b"I":
            rows[pk] = written if pk not in rows or rows[pk] is GONE else CHANGED
        elif op == b"D":
            rows[pk] = GONE
        elif op == b"B" and pk not in rows:
            rows[pk] = written
        else:
            rows[pk] = CHANGED
    return state


def check_rows(source: Source) -> tuple[int, list[Finding]]:
    """The rows as they stand against what the entries say. Returns how many there are, and what was found."""
    report = Report()
    state = _states(source)
    doubt: dict[tuple[str, str], str] = {}
    print_of = _print_of
    nothing: dict[bytes, Any] = {}
    for table, pk, raw in source.standing():
        report.rows += 1
        known = state.get(table, nothing).pop(pk, None)
        if known is None or known is GONE:
            why = "was deleted" if known is GONE else "was never written"
            named, key = _text(table), _text(pk)
            report.found("row", f"{named} {key} stands in the database but {why} by the record", named, key)
        elif known is CHANGED or print_of(raw) != known:
            doubt[(_text(table), _text(pk))] = _text(raw)
    for table, rows in state.items():
        for pk, known in rows.items():
            if known is not GONE:
                named, key = _text(table), _text(pk)
                report.found("row", f"{named} {key} is gone from the database; the record has it", named, key)
    if doubt:
        _replay(source, report, doubt)
    return report.rows, report.findings


def _read_json(text: str) -> Any:
    return json.loads(text, parse_float=str)


def _replay(source: Source, report: Report, doubt: dict[tuple[str, str], Any]) -> None:
    """Rows whose last entry is not their first one, or that look different: column by column."""
    replayed: dict[tuple[str, str], dict[str, Any]] = {}
    unread: set[tuple[str, str]] = set()
    for _seq, _txid, op, table, pk, payload in source.entries():
        at = (table, pk)
        if at not in doubt:
            continue
        try:
            said = _read_json(payload)
            if op == "U":
                replayed.setdefault(at, {}).update({name: pair[1] for name, pair in said.items()})
            else:
                replayed[at] = dict(said)
        except (ValueError, TypeError, IndexError, AttributeError):
            unread.add(at)
    for at, text in doubt.items():
        table, pk = at
        if at in unread:
            report.found("row", f"{table} {pk}: an entry of it cannot be read", table, pk)
            continue
        try:
            now = _read_json(text)
        except ValueError:
            report.found("row", f"{table} {pk} cannot be read as it stands now", table, pk)
            continue
        then = replayed.get(at, {})
        # A column that came later is empty in entries before it; one that was dropped since is not compared.
        differing = [name for name, value in now.items() if then.get(name) != value]
        if differing:
            shown = ", ".join(
                f"{name} is {json.dumps(now[name], ensure_ascii=False)}, the record says "
                f"{json.dumps(then.get(name), ensure_ascii=False)}"
                for name in differing[:5]
            )
            report.found("row", f"{table} {pk} was altered past the record: {shown}", table, pk)


# --- an export -------------------------------------------------------------------------------------------------


def entry_line(seq: int, txid: int, op: str, table: str, pk: str, payload: str) -> str:
    """A line of entries.jsonl. A payload that is a JSON object stands in it as it is, any other as a string."""
    head = f"{seq},{txid},{json.dumps(op)},{json.dumps(table)},{json.dumps(pk)}"
    whole = payload.startswith("{") and payload.endswith("}") and "\n" not in payload and "\r" not in payload
    if not whole or ",{" in head:
        return f"[{head},{json.dumps(payload)}]\n"
    return f"[{head},{payload}]\n"


def read_entry(line: str) -> Any:
    """(seq, txid, op, table, pk, payload) of such a line; the payload with every byte as it was."""
    # A payload that stands as a string may hold these letters too: then the line ends with that string.
    at = line.find(",{") if line.rstrip("\n").endswith("}]") else -1
    if at > 0:
        parts = line[1:at].split(",")
        if len(parts) == 5 and "\\" not in parts[4]:
            seq, txid, op, table, pk = parts
            return int(seq), int(txid), op[1:-1], table[1:-1], pk[1:-1], line[at + 1 : line.rindex("]")]
        seq, txid, op, table, pk = json.loads(line[:at] + "]")
        return seq, txid, op, table, pk, line[at + 1 : line.rindex("]")]
    return tuple(json.loads(line))


#: A line of entries.jsonl and of rows.jsonl as nearly all are; the others are read by `read_entry` and `json`.
_ENTRY = re.compile(rb'\[(\d+),(\d+),"(\w)","(\w+)","([^"\\]*)",(\{.*\})\]\n')
_ROW = re.compile(rb'\["(\w+)","([^"\\]*)",(\{.*\})\]\n')
#: Bytes of rows from which on a second process pays.
_WORTH_A_PROCESS = 10_000_000


class Export(Source):
    """The folder that `lims audit export` writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def entries(self) -> Iterator[Any]:
        with open(
            self.folder / "entries.jsonl", encoding="utf-8", errors="surrogateescape", newline="\n"
        ) as file:
            yield from map(read_entry, file)

    def transactions(self) -> Iterator[Sealed]:
        with open(
            self.folder / "transactions.jsonl", encoding="utf-8", errors="surrogateescape", newline="\n"
        ) as file:
            for line in file:
                found = json.loads(line)
                yield Sealed._make([*found[:10], base64.b64decode(found[10])])

    def rows(self) -> Iterator[Any]:
        for table, pk, raw in self.standing():
            yield _text(table), _text(pk), _text(raw)

    def leaves(self) -> Iterator[tuple[int, int, bytes]]:
        """On the bytes of the file: that takes half of the time."""
        sha, matched = _sha256, _ENTRY.fullmatch
        with open(self.folder / "entries.jsonl", "rb") as file:
            for line in file:
                found = matched(line)
                if found is not None:
                    seq, txid, op, table, pk, payload = found.groups()
                    leaf = sha(b"\0%b\t%b\t%b\t%b\t%b" % (seq, op, table, pk, payload)).digest()
                    yield int(seq), int(txid), leaf
                else:
                    seq, txid, op, table, pk, payload = read_entry(_text(line))
                    yield seq, txid, leaf_hash(f"{seq}\t{op}\t{table}\t{pk}\t{payload}")

    def written(self) -> Iterator[tuple[bytes, bytes, bytes, Any]]:
        print_of, matched = _print_of, _ENTRY.fullmatch
        with open(self.folder / "entries.jsonl", "rb") as file:
            for line in file:
                found = matched(line)
                if found is not None:
                    _seq, _txid, op, table, pk, payload = found.groups()
                    yield op, table, pk, print_of(payload)
                else:
                    _seq, _txid, op, table, pk, payload = read_entry(_text(line))
                    yield op.encode(), _bytes(table), _bytes(pk), print_of(_bytes(payload))

    def standing(self) -> Iterator[tuple[bytes, bytes, bytes]]:
        with open(self.folder / "rows.jsonl", "rb") as file:
            for line in file:
                found = _ROW.fullmatch(line)
                if found is not None:
                    table, pk, raw = found.groups()
                    yield table, pk, raw
                else:
                    at = line.index(b",{")
                    table, pk = json.loads(line[:at] + b"]")
                    yield _bytes(table), _bytes(pk), line[at + 1 : line.rindex(b"]")]

    def rows_checked(self) -> Callable[[], tuple[int, list[Finding]]]:
        """In a process of its own, beside the chain."""
        if (os.cpu_count() or 1) < 2 or (self.folder / "rows.jsonl").stat().st_size < _WORTH_A_PROCESS:
            return super().rows_checked()
        pool = ProcessPoolExecutor(1)
        waiting = pool.submit(_rows_of_export, self.folder)

        def checked() -> tuple[int, list[Finding]]:
            with pool:
                return waiting.result()

        return checked

    def notes(self) -> Iterator[tuple[str, str]]:
        for path in sorted((self.folder / "checkpoints").glob("*.txt")):
            yield f"checkpoints/{path.name}", path.read_text(encoding="utf-8")

    def key(self) -> Key | None:
        path = self.folder / "audit.pub"
        return read_key(path.read_text(encoding="ascii")) if path.exists() else None


def _rows_of_export(folder: Path) -> tuple[int, list[Finding]]:
    gc.disable()
    return check_rows(Export(folder))


def described(report: Report, limit: int = 200) -> list[str]:
    """The report in lines."""
    lines = [
        f"{report.transactions} transactions, {report.entries} entries, {report.rows} rows; head {report.head}"
    ]
    lines += [f"NOTICE   {notice}" for notice in report.notices[:limit]]
    lines += [f"ALTERED  {finding.message}" for finding in report.findings[:limit]]
    if len(report.findings) > limit:
        lines.append(f"ALTERED  … and {len(report.findings) - limit} more")
    if report.anchored:
        lines.append(f"anchored outside: transactions 1 to {report.anchored}")
    if report.unanchored_entries:
        lines.append(
            f"no anchor yet: {report.unanchored_entries} entries of transactions {report.anchored + 1} to"
            f" {report.transactions}; a rewriting of these would not be noticed"
        )
    if report.signed > report.anchored:
        lines.append(
            f"checkpoints kept with the record cover transactions 1 to {report.signed}; they hold against everyone who"
            " has neither the signing key nor could delete them"
        )
    lines.append("nothing was altered" if report.good else f"{len(report.findings)} findings")
    return lines


def unanchored(source: Source, anchored: int) -> Iterator[str]:
    """Each row that no anchor covers yet, once for each entry."""
    later = {sealed.txid: sealed.number for sealed in source.transactions() if sealed.number > anchored}
    for seq, txid, op, table, pk, _payload in source.entries():
        if txid in later:
            yield f"transaction {later[txid]}, entry {seq}: {op} {table} {pk}"


def main(arguments: list[str] | None = None, write: Callable[[str], Any] = print) -> int:
    parser = argparse.ArgumentParser(description="Verify an export of the record of changes.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--checkpoint", type=Path, action="append", default=[], help="kept outside")
    parser.add_argument(
        "--against", type=Path, help="an earlier export, kept outside: names what was rewritten since"
    )
    parser.add_argument("--key", type=Path, help="the verifier key, if not the export's own audit.pub")
    parser.add_argument("--list", action="store_true", help="name each row that no anchor covers yet")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    gc.disable()  # millions of small things that all stay: looking for rubbish among them takes a third of the time
    source = Export(given.folder)
    try:
        key = read_key(given.key.read_text(encoding="ascii")) if given.key else source.key()
        notes = [(path.name, path.read_text(encoding="utf-8-sig")) for path in given.checkpoint]
        kept = Export(given.against).transactions() if given.against else ()
        report = verify(source, notes, key, kept)
    except (OSError, ValueError, TypeError) as error:
        write(f"cannot be read: {error}")
        return 2
    if given.json:
        write(
            json.dumps(
                {
                    "good": report.good,
                    "transactions": report.transactions,
                    "entries": report.entries,
                    "head": report.head,
                    "anchored": report.anchored,
                    "unanchored_entries": report.unanchored_entries,
                    "notices": report.notices,
                    "findings": [finding._asdict() for finding in report.findings],
                },
                ensure_ascii=False,
            )
        )
    else:
        for line in described(report):
            write(line)
    if given.list:
        for line in unanchored(source, report.anchored):
            write(line)
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main())
