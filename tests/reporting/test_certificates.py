"""What went out is recorded, and a replacement says why."""

from __future__ import annotations

import hashlib

import pytest

from lims.base.problems import NotFound, Refused
from lims.reporting.service import CertificateService
from tests.factories import ACTOR, a_batch

pytestmark = pytest.mark.usefixtures("records_on_both")
service = CertificateService()


def test_certificate_is_numbered_and_hashed() -> None:
    batch = a_batch()
    found = service.issue(batch.id, "certificate.pdf", b"%PDF", ACTOR)
    assert found.code.endswith("-0001")
    assert found.sha256 == hashlib.sha256(b"%PDF").hexdigest()


def test_replacement_needs_a_reason_and_keeps_the_old_one() -> None:
    batch = a_batch()
    first = service.issue(batch.id, "a.pdf", b"one", ACTOR)
    with pytest.raises(Refused, match="why"):
        service.issue(batch.id, "b.pdf", b"two", ACTOR, replaces_id=first.id)
    second = service.issue(batch.id, "b.pdf", b"two", ACTOR, replaces_id=first.id, reason="wrong site")
    assert second.replaces_id == first.id
    assert service.get(first.id).sha256 == hashlib.sha256(b"one").hexdigest()


def test_certificate_of_no_batch_is_refused() -> None:
    with pytest.raises(NotFound):
        service.issue(999, "a.pdf", b"one", ACTOR)
