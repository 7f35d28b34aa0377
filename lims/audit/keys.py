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

FILE = "audit.key"


def _seed(folder: Path) -> bytes:
    path = folder / FILE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:  # another process was faster
            return _seed(folder)
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(os.urandom(32)))
    return base64.b64decode(path.read_bytes(), validate=True)


def _origin(laboratory: str) -> str:
    """Name of this laboratory's record in its checkpoints."""
    name = re.sub(r"[^\w.-]+", "-", laboratory, flags=re.ASCII).strip("-")
    return f"lims/{name or 'laboratory'}"


def _public(private: Ed25519PrivateKey) -> bytes:
    return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def verifier_key() -> Key:
    """The public key of this application."""
    return key_in(Path(current_app.config["LIMS_DATA"]), str(current_app.config["LIMS_LABORATORY"]))


def key_in(folder: Path, laboratory: str) -> Key:
    public, name = _public(Ed25519PrivateKey.from_private_bytes(_seed(folder))), _origin(laboratory)
    return Key(name, key_id(name, public), public)


def public_key_in(folder: Path) -> bytes | None:
    """The public key of the signing key in this folder, None where none can be read. None is made."""
    if not (folder / FILE).exists():
        return None
    try:
        return _public(Ed25519PrivateKey.from_private_bytes(_seed(folder)))
    except (OSError, ValueError):
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
