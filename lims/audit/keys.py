"""The laboratory's signing key, and checkpoints as signed notes (C2SP signed-note and tlog-checkpoint).

The seed stands in LIMS_DATA/audit.key, readable by the owner alone; keep it apart from the database's backups. The
verifier key (`lims audit key`) is public: give it to whoever keeps checkpoints.
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


def _private() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(_seed(Path(current_app.config["LIMS_DATA"])))


def origin() -> str:
    """Name of this laboratory's record in its checkpoints."""
    name = re.sub(r"[^\w.-]+", "-", str(current_app.config["LIMS_LABORATORY"]), flags=re.ASCII).strip("-")
    return f"lims/{name or 'laboratory'}"


def verifier_key() -> Key:
    public = _private().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return Key(origin(), key_id(origin(), public), public)


def verifier_key_text(key: Key) -> str:
    return f"{key.name}+{key.id.hex()}+{base64.b64encode(bytes([1]) + key.public).decode()}"


def signed_note(size: int, root: str) -> str:
    """The checkpoint over transactions 1 to `size`: about 220 letters, which fit a QR code."""
    body, private = note_body(origin(), size, root), _private()
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    packed = base64.b64encode(key_id(origin(), public) + private.sign(body.encode())).decode()
    return f"{body}\n\u2014 {origin()} {packed}\n"
