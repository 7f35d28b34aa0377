"""Mails go encrypted to the server that the certificate names, or not at all; a password never in plain text."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Flask
from pydantic import ValidationError

from lims.base.columns import utc_now
from lims.cli import sentences
from lims.mail.service import send_waiting
from lims.settings import Settings
from tests.browser import free_port
from tests.factories import ACTOR
from tests.mail.test_outbox import Letterbox, a_mail, stored


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of 127.0.0.1, signed by itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.works.example")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(utc_now() - timedelta(days=1))
        .not_valid_after(utc_now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("certificate") / "mail.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(secret + made.public_bytes(Encoding.PEM))
    return file


@pytest.fixture(params=["starttls", "tls"])
def encrypted(request: pytest.FixtureRequest, records: Flask, certificate: Path) -> Iterator[Letterbox]:
    box, port = Letterbox(), free_port()
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served.load_cert_chain(certificate)
    how: dict[str, Any] = (
        {"ssl_context": served, "auth_require_tls": False}  # it takes its own TLS for none
        if request.param == "tls"
        else {"tls_context": served, "require_starttls": True}
    )
    server = Controller(box, hostname="127.0.0.1", port=port, authenticator=box.knows, **how)
    server.start()
    records.config["LIMS_SETTINGS"] = Settings(
        smtp_host="127.0.0.1",
        smtp_port=port,
        smtp_security=request.param,
        smtp_user="lims",
        smtp_password="granite",
        smtp_from="lims@example.com",
        smtp_timeout_s=5,
    )
    yield box
    server.stop()


def trust(records: Flask, **changed: str) -> None:
    settings: Settings = records.config["LIMS_SETTINGS"]
    records.config["LIMS_SETTINGS"] = settings.model_copy(update=changed)


def test_server_whose_certificate_nobody_vouches_for_gets_no_mail(
    encrypted: Letterbox, records: Flask, certificate: Path
) -> None:
    a_mail()
    assert send_waiting(ACTOR) == 0
    assert (stored()[0].state, encrypted.taken) == ("waiting", [])
    assert "certificate verify failed" in (stored()[0].last_error or "")
    a_mail("complaint:2")
    trust(records, smtp_ca_file=str(certificate))
    assert send_waiting(ACTOR) == 1


def test_certificate_of_another_name_is_not_taken(
    encrypted: Letterbox, records: Flask, certificate: Path
) -> None:
    trust(records, smtp_ca_file=str(certificate), smtp_host="localhost")
    a_mail()
    assert send_waiting(ACTOR) == 0
    assert encrypted.taken == []
    assert "localhost" in (stored()[0].last_error or "")


@pytest.mark.parametrize("host", ["mail.works.example", "192.0.2.7"])
def test_password_in_plain_text_to_another_machine_is_refused_with_what_is_accepted(host: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(smtp_host=host, smtp_security="none", smtp_user="lims", smtp_password="granite")
    told = sentences(refused.value)
    assert told[0].startswith("LIMS_SMTP_USER")
    assert "accepted: starttls or tls" in told[0]
    assert "granite" not in told[0]
    Settings(smtp_host=host, smtp_security="none")  # a relay that asks for none


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_password_in_plain_text_to_this_machine_is_accepted(host: str) -> None:
    assert Settings(smtp_host=host, smtp_security="none", smtp_user="lims").smtp_user == "lims"


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_file_of_authorities_that_holds_none_is_refused(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content, encoding="ascii")
    with pytest.raises(ValidationError) as refused:
        Settings(smtp_ca_file=str(file))
    told = sentences(refused.value)[0]
    assert told.startswith("LIMS_SMTP_CA_FILE")
    assert "accepted: empty, or a PEM file" in told
