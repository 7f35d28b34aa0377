"""The laboratory's signing key, and checkpoints as signed notes (C2SP signed-note and tlog-checkpoint).

The seed stands in LIMS_DATA/audit.key, readable by the owner alone. Backups hold it too: a laboratory that was restored
without it would find every earlier checkpoint of its record signed by somebody else. So who holds a backup can sign, and
only checkpoints that are kept elsewhere hold against that person. The verifier key (`lims audit key`) is public: give it
to whoever keeps checkpoints.
"""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import current_app

from lims.base.auditing.lims_verify import Key, key_id, note_body
from lims.base.key_files import kept_key
from lims.base.problems import Refused, refuse

FILE = "audit.key"
SEED_BYTES = 32


def _seed(folder: Path) -> bytes:
    """Raises: Refused."""
    path = folder / FILE
    try:
        seed = base64.b64decode(kept_key(path, _made).strip(), validate=True)
    except ValueError:
        seed = b""
    if len(seed) != SEED_BYTES:
        raise refuse(
            str(path),
            "is no signing key; put that of a backup in its place, or if no checkpoint was ever taken delete it and a new "
            "one is made",
        )
    return seed


def _made() -> bytes:
    return base64.b64encode(os.urandom(SEED_BYTES))


def _origin(laboratory: str) -> str:
    """Name of this laboratory's record in its checkpoints."""
    name = re.sub(r"[^\w.-]+", "-", laboratory, flags=re.ASCII).strip("-")
    return f"lims/{name or 'laboratory'}"


def _public(private: Ed25519PrivateKey) -> bytes:
    return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def verifier_key() -> Key:
    """The public key of this application."""
    return key_in(Path(current_app.config["LIMS_DATA"]), str(current_app.config["LIMS_LABORATORY"]))


def refuse_unusable(folder: Path) -> None:
    """Is what is kept here no key, so that nothing could be signed? None is made. Raises: Refused."""
    if os.path.exists(folder / FILE):
        _seed(folder)


def key_in(folder: Path, laboratory: str) -> Key:
    public, name = _public(Ed25519PrivateKey.from_private_bytes(_seed(folder))), _origin(laboratory)
    return Key(name, key_id(name, public), public)


def public_key_in(folder: Path) -> bytes | None:
    """The public key of the signing key in this folder, None where none can be read. None is made."""
    if not (folder / FILE).exists():
        return None
    try:
        return _public(Ed25519PrivateKey.from_private_bytes(_seed(folder)))
    except Refused:
        return None


def verifier_key_text(key: Key) -> str:
    return f"{key.name}+{key.id.hex()}+{base64.b64encode(bytes([1]) + key.public).decode()}"


def signed_note(size: int, root: str) -> str:
    """The checkpoint over transactions 1 to `size`: about 170 letters, which fit a QR code."""
    return note_in(
        Path(current_app.config["LIMS_DATA"]), str(current_app.config["LIMS_LABORATORY"]), size, root
    )


def note_in(folder: Path, laboratory: str, size: int, root: str) -> str:
    """The same for the signing key of this folder, without an application."""
    private, name = Ed25519PrivateKey.from_private_bytes(_seed(folder)), _origin(laboratory)
    body = note_body(name, size, root)
    packed = base64.b64encode(key_id(name, _public(private)) + private.sign(body.encode())).decode()
    return f"{body}\n\u2014 {name} {packed}\n"
