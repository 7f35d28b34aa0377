"""A checkpoint names the head of the record of changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask import Flask

from lims.accounts.roles import AUDITOR
from lims.audit.commands import audit
from lims.audit.exporting import export
from lims.audit.keys import FILE, note_in
from lims.audit.service import CheckpointService
from lims.base.auditing.lims_verify import main
from lims.base.auditing.models import AuditTransaction
from lims.base.database import current_session
from lims.base.problems import Refused
from tests.conftest import Person
from tests.factories import ACTOR, a_batch, a_customer


@pytest.mark.usefixtures("records_on_both")
def test_checkpoint_covers_what_was_sealed_before_it() -> None:
    a_batch("40")
    before = current_session().query(AuditTransaction).order_by(AuditTransaction.id.desc()).first()
    assert before is not None
    taken = CheckpointService().take(ACTOR)
    assert (taken.number, taken.transaction_count, taken.root_sha256) == (1, before.id, before.hash)


def test_log_says_which_changes_no_anchor_covers_yet(app: Flask, sign_in_as: Callable[[str], Person]) -> None:
    with app.app_context():
        a_customer("K-1")
    auditor = sign_in_as(AUDITOR)
    assert "There is no checkpoint yet" in auditor.get("/audit-log/").get_data(as_text=True)
    with app.app_context():
        taken = CheckpointService().take(ACTOR)
        a_customer("K-2")
    page = auditor.get("/audit-log/?kind=customers").get_data(as_text=True)
    assert f"Checkpoint {taken.number} of" in page
    assert page.count("No anchor yet") == 1
    later = auditor.get("/audit-log/?kind=customers&unanchored=1").get_data(as_text=True)
    assert "K-2" in later
    assert "K-1" not in later


# --- lims audit verify -----------------------------------------------------------------------------------------


@pytest.fixture
def kept(app: Flask, tmp_path: Path) -> Path:
    """A checkpoint that was kept outside, of a laboratory named "own"."""
    with app.app_context():
        text = CheckpointService().take(ACTOR).text
    assert text.startswith("lims/own\n")
    file = tmp_path / "kept.txt"
    file.write_text(text, encoding="utf-8")
    return file


def _verified(app: Flask, monkeypatch: pytest.MonkeyPatch, *given: str | Path) -> Result:
    """`lims audit verify` after the laboratory got another name."""
    monkeypatch.setenv("LIMS_DATA", str(app.config["LIMS_SETTINGS"].data))
    monkeypatch.setenv("LIMS_LABORATORY", "North works")
    return CliRunner().invoke(audit, ["verify", *map(str, given)])


def test_checkpoint_of_a_laboratory_that_has_another_name_now_is_genuine(
    app: Flask, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = _verified(app, monkeypatch, "--checkpoint", kept)
    assert "signature" not in found.output
    assert found.exit_code == 0, found.output


@pytest.mark.parametrize("name", ["own", "North works"])
def test_checkpoint_that_another_key_signed_is_refused_whatever_name_it_bears(
    app: Flask, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    _origin, size, _rest = kept.read_text(encoding="utf-8").split("\n", 2)
    with app.app_context():
        head = current_session().get(AuditTransaction, int(size))
        assert head is not None
        root = head.hash
    assert not (tmp_path / FILE).exists()
    kept.write_text(note_in(tmp_path, name, int(size), root), encoding="utf-8")
    found = _verified(app, monkeypatch, "--checkpoint", kept)
    assert found.exit_code == 1
    assert "kept.txt: its signature is not of the key" in found.output


def test_export_made_under_another_name_verifies_with_its_checkpoints(
    app: Flask, kept: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "export"
    app.config["LIMS_LABORATORY"] = "North works"
    with app.app_context():
        export(folder)
    told: list[str] = []
    assert kept.exists()
    assert main([str(folder)], told.append) == 0, told


@pytest.mark.parametrize(
    "content", ["lims/own".encode("utf-16"), b"\x89PNG\r\n\xff"], ids=["utf-16", "picture"]
)
def test_checkpoint_that_is_no_text_ends_with_a_sentence(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    (tmp_path / "kept.txt").write_bytes(content)
    found = _verified(app, monkeypatch, "--checkpoint", tmp_path / "kept.txt")
    assert isinstance(found.exception, Refused)
    assert "--checkpoint: is not UTF-8 text; accepted: " in str(found.exception)


def test_checkpoint_that_an_editor_has_marked_as_utf_8_is_read(
    app: Flask, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.write_bytes(b"\xef\xbb\xbf" + kept.read_bytes())
    assert _verified(app, monkeypatch, "--checkpoint", kept).exit_code == 0


@pytest.mark.parametrize("content", [None, "", "{}\n", "[1, 2]\n", "nothing\n"])
def test_folder_that_is_no_export_ends_with_a_sentence(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    if content is not None:
        (folder / "transactions.jsonl").write_text(content, encoding="utf-8")
    found = _verified(app, monkeypatch, "--against", folder)
    assert isinstance(found.exception, Refused)
    assert "--against: is no whole export" in str(found.exception)
    assert "accepted: a folder that `lims audit export` has written" in str(found.exception)
