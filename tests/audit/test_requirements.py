"""R1 to R19: what ISO/IEC 17025:2017 (7.5, 7.8, 7.11, 8.4), 21 CFR Part 11 and ALCOA+ ask of records, one test each.

R4 (reissued reports), R10 (copies for an auditor in one command) and R19 (the uploaded workbook) are held by the tests of
reporting, of the record of changes and of importing.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError, SQLAlchemyError
from werkzeug.test import TestResponse

import lims
from lims.accounts.roles import AUDITOR, MANAGER, OWN, ROLES, SALES, TECHNICIAN
from lims.audit.log import Asked, changes, history_of, label_of
from lims.audit.references import PARTS
from lims.audit.sampling import recomputed
from lims.audit.selftest import FORECAST_MPA, FORECAST_TOLERANCE, fixed_forecast, selftest
from lims.base.actor import Actor, user_actor
from lims.base.auditing.models import AuditEntry, AuditTransaction
from lims.base.auditing.policy import captured_columns, is_captured
from lims.base.database import current_session, database, transaction
from lims.base.denials import DeniedAttempt, settle
from lims.base.files import bytes_of
from lims.base.metadata import Model
from lims.base.records import AnonymousWrite, Record
from lims.base.services import SERVICES, RecordService
from lims.base.signatures import MEANINGS, Signature
from lims.forecasts.models import Forecast
from lims.operations.record_of_changes import faults_of_record
from lims.results.models import Break, Press, SetResult
from lims.results.schemas import SetBreaksIn
from lims.results.service import amend_set, correct_set, record_set, release, retract, verify
from lims.results.triggers import NEXT_STATES
from lims.standards.specimens import compressive_strength
from tests.conftest import PASSWORD, Person
from tests.factories import ACTOR, a_batch, a_forecast, a_mix

CHECKER = user_actor(7, "Checker")
SEED = 17025


def entry(*loads: str, **more: Any) -> SetBreaksIn:
    return SetBreaksIn.read({"loads_kn": list(loads), "tested_at": datetime.now(UTC).isoformat(), **more})


def three_days(batch: Any) -> Any:
    return next(item for item in batch.sets if item.age_days == 3)


@pytest.fixture
def found(records_on_both: Flask) -> Any:
    return three_days(a_batch("40"))


def released(found: Any) -> SetResult:
    record_set(found.id, entry("424", "401", "396"), ACTOR)
    verify(found.id, CHECKER)
    return release(found.id, CHECKER)


def test_r1_no_released_result_lacks_observation_time_performer_or_checker(found: Any) -> None:
    result = released(found)
    assert result.verified_by is not None
    assert result.verified_at is not None
    assert result.created_by not in {None, result.verified_by}
    for item in current_session().scalars(select(Break).where(Break.superseded_at.is_(None))):
        assert item.load_kn is not None
        assert item.tested_at is not None
        assert item.tested_by
    # Nor does the database let one be released without its checker.
    other = three_days(a_batch("40", mix=a_mix("C30-2")))
    entered = record_set(other.id, entry("424", "401", "396"), ACTOR)
    with pytest.raises(DatabaseError), transaction(CHECKER) as session:
        session.execute(text(f"UPDATE set_results SET state = 'verified' WHERE id = {entered.id}"))


#: `LIMS_EDITS=10000` is the long form, run by hand: an edit takes 20 ms.
EDITS = int(os.environ.get("LIMS_EDITS", "40"))


@pytest.mark.parametrize("edits", [EDITS])
def test_r2_after_n_amendments_all_n_plus_one_values_are_read_with_when_who_and_why(
    found: Any, edits: int
) -> None:
    chance = random.Random(SEED)
    wanted = []
    number = 0
    for step in range(edits + 1):
        loads = tuple(str(chance.randrange(380, 430)) for _n in range(3))
        if step == 0:
            result = record_set(found.id, entry(*loads), ACTOR)
        else:
            result = correct_set(found.id, entry(*loads), number, ACTOR, f"reason {step}")
        number = result.number
        wanted.append((tuple(map(Decimal, loads)), result.reason))
    results = current_session().scalars(select(SetResult).order_by(SetResult.number)).all()
    assert [(item.number, item.reason) for item in results] == [
        (place, reason) for place, (_loads, reason) in enumerate(wanted, start=1)
    ]
    assert all(item.created_by == ACTOR.key and item.created_at is not None for item in results)
    for place, (loads, _reason) in enumerate(wanted, start=1):
        stored = current_session().scalars(
            select(Break.load_kn).where(Break.number == place).order_by(Break.specimen_id)
        )
        assert tuple(stored) == loads
    # The record of changes tells the same story, newest first.
    entries = current_session().scalars(
        select(AuditEntry).where(AuditEntry.table_name == "set_results", AuditEntry.op == "I")
    )
    assert len(list(entries)) == edits + 1


def test_r3_no_role_outside_the_laboratory_reads_a_result_page_or_rest(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        found = three_days(a_batch("40"))
        record_set(found.id, entry("424", "401", "396"), ACTOR)
        set_id = found.id
    sales = sign_in_as(SALES)
    for path in (f"/specimen-sets/{set_id}", "/breaks/", "/set-results/", "/api/v1/set-results/", "/api/v1/breaks/",
                 f"/press/sets/{set_id}", f"/trace/specimen-sets/{set_id}"):  # fmt: skip
        assert sales.get(path).status_code == 403, path
    assert "18.1" not in sales.get(f"/batches/{found.batch_id}").get_data(as_text=True)
    for kind in ("json", "pdf"):
        assert b"18.1" not in sales.get(f"/trace/batches/{found.batch_id}/trace.{kind}").data


def test_r3_what_a_forecast_was_made_from_is_not_shown_to_those_who_read_no_results(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        found = three_days(a_batch("40"))
        record_set(found.id, entry("424", "401", "396"), ACTOR)
        forecast = current_session().scalars(select(Forecast)).first()
        if forecast is None:
            forecast = a_forecast(
                found.batch.mix_revision.mix_design_id,
                inputs='{"breaks": [[3, 18.12, 3]]}',
                local_mixes=1,
                history_mixes=1,
            )
        key = forecast.id
    technician, sales = sign_in_as(TECHNICIAN), sign_in_as(SALES)
    for path in (f"/forecasts/{key}", f"/api/v1/forecasts/{key}", f"/audit-log/forecasts/{key}"):
        assert "18.12" in technician.get(path).get_data(as_text=True), path
        answer = sales.get(path)
        assert answer.status_code == 200, path
        assert "18.12" not in answer.get_data(as_text=True), path


def test_r5_every_verdict_stores_its_rule_and_edition(found: Any) -> None:
    result = record_set(found.id, entry("424", "401", "396"), ACTOR)
    assert (result.rule_id, result.edition) == ("gbt50081-2019/cube-set", "GB/T 50081-2019")
    columns = SetResult.__table__.c
    assert not columns.rule_id.nullable
    assert not columns.edition.nullable


def test_r6_selftest_writes_a_dated_validation_record(app: Flask) -> None:
    with app.test_request_context():
        before = datetime.now(UTC) - timedelta(seconds=1)
        heard = []
        run = selftest(app.config["LIMS_SETTINGS"], ACTOR, heard.append)
        assert [check.name for check in heard if check.passed is False] == []
        assert run.passed
        assert (run.checks, run.failed) == (5, 0)
        assert run.run_at >= before
        assert bytes_of(run.file_id).startswith(b"%PDF")


def test_r6_the_fixed_forecast_is_what_it_was() -> None:
    assert abs(fixed_forecast() / FORECAST_MPA - 1) <= FORECAST_TOLERANCE


def test_r7_tampering_is_detected_and_named(found: Any) -> None:
    released(found)
    current_session().commit()
    assert faults_of_record(database().url) == []
    from lims.base.auditing.guards import exempt
    from lims.base.auditing.triggers import remove
    from lims.base.reading import not_only_reading

    with not_only_reading(database().engine).connect() as connection, exempt(connection):
        remove(connection)
        connection.execute(
            text(
                "UPDATE audit_entries SET payload = replace(payload, '424', '425') WHERE table_name = 'breaks'"
            )
        )
        connection.commit()
    assert "altered" in faults_of_record(database().url)[0]


def test_r8_there_is_no_hard_delete_path(app: Flask) -> None:
    routes = [rule for rule in app.url_map.iter_rules() if "DELETE" in (rule.methods or ())]
    assert routes == []
    for name, service in SERVICES.items():
        for attribute in dir(type(service)):
            assert not re.search(r"delete|destroy|purge", attribute), f"{name}.{attribute}"
    # In the source no statement deletes a record: what is found is working data of the machine.
    source = Path(lims.__file__).parent
    tables = {
        mapper.class_.__tablename__ for mapper in Model.registry.mappers if issubclass(mapper.class_, Record)
    }
    for path in sorted(source.rglob("*.py")):
        words = path.read_text(encoding="utf-8")
        assert "session.delete(" not in words, path
        for table in re.findall(r"DELETE FROM (\w+)", words):
            assert table not in tables - {"search_entries"}, f"{path}: {table}"


def test_r8_the_session_refuses_to_delete_a_record(found: Any) -> None:
    with pytest.raises(AnonymousWrite, match="never deleted"), transaction(ACTOR) as session:
        session.delete(found)


@pytest.mark.usefixtures("records_on_both")
def test_r9_every_table_of_records_is_captured() -> None:
    for mapper in Model.registry.mappers:
        if issubclass(mapper.class_, Record):
            assert is_captured(mapper.class_.__table__), mapper.class_.__tablename__


def test_r11_stamps_are_the_servers_in_utc_and_denied_attempts_are_recorded(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    before = datetime.now(UTC)
    with app.app_context():
        made = a_mix()
        assert before <= made.created_at <= datetime.now(UTC)
        assert made.created_at.utcoffset() == timedelta(0)
    technician = sign_in_as(TECHNICIAN)
    # A stamp that the client sends is no input.
    sent = {"code": "P-9", "name": "Press", "created_at": "2001-01-01T00:00:00Z"}
    assert technician.client.post("/api/v1/presses/", json=sent).status_code in {400, 422}
    assert technician.get("/users/").status_code == 403
    settle(app)
    with app.app_context():
        assert [item.kind for item in current_session().scalars(select(DeniedAttempt))][-1] == "permission"


@pytest.mark.parametrize(("before", "after"), list(product(NEXT_STATES, NEXT_STATES)))
def test_r12_the_database_refuses_every_illegal_change_of_state(found: Any, before: str, after: str) -> None:
    result = record_set(found.id, entry("424", "401", "396"), ACTOR)
    for state, step in (("verified", verify), ("released", release)):
        if list(NEXT_STATES).index(before) >= list(NEXT_STATES).index(state):
            result = step(found.id, CHECKER)
    if before == "retracted":
        result = retract(found.id, "wrong press", CHECKER)
    change = text(
        "UPDATE set_results SET state = :state, verified_by = 'user:9', verified_at = created_at WHERE id = :id"
    )
    legal = before != "retracted" and (after == before or after in NEXT_STATES[before])
    if legal:
        with transaction(CHECKER) as session:
            session.execute(change, {"state": after, "id": result.id})
    else:
        with pytest.raises(DatabaseError), transaction(CHECKER) as session:
            session.execute(change, {"state": after, "id": result.id})


#: What an auditor may send: their own account and choices, and findings.
AUDITORS_OWN = re.compile(
    r"^/(findings/|calendar-feeds/|profile/|preferences/|login/|logout/|lock/|unlock/|tour|help/|jobs/|lang/)"
    r"|^/api/v1/(findings|security|jobs)/"
)


def addresses(app: Flask, method: str) -> list[str]:
    found = []
    for rule in app.url_map.iter_rules():
        if method in (rule.methods or ()) and not rule.rule.startswith(("/static", "/appbuilder")):
            found.append(re.sub(r"<(?:int:)?[^>]+>", "1", rule.rule))
    return sorted(set(found))


def test_r13_the_auditor_writes_nothing_but_findings_and_own_choices(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    auditor = sign_in_as(AUDITOR)
    auditor.post("/preferences/hide", {"name": "tour"})
    with app.app_context():
        last = current_session().scalar(
            select(AuditTransaction.id).order_by(AuditTransaction.id.desc()).limit(1)
        )
    open_doors = []
    for method in ("POST", "PUT", "PATCH"):
        for address in addresses(app, method):
            if AUDITORS_OWN.match(address):
                continue
            answer = auditor.client.open(
                address, method=method, data={"csrf_token": auditor.token, "password": PASSWORD}
            )
            if answer.status_code not in {401, 403, 404, 405}:
                open_doors.append((method, address, answer.status_code))
    assert open_doors == []
    settle(app)
    with app.app_context():
        actors = current_session().scalars(
            select(AuditTransaction.actor).where(AuditTransaction.id > (last or 0))
        )
        assert set(actors) <= {"system:denials"}


def test_r13_the_auditor_reads_everything(app: Flask, sign_in_as: Callable[[str], Person]) -> None:
    auditor = sign_in_as(AUDITOR)
    for name, service in SERVICES.items():
        if name in PARTS or f"/{name}/" not in addresses(app, "GET"):
            continue
        assert auditor.get(f"/{name}/").status_code == 200, name
        assert type(service) is not RecordService
    for path in ("/audit-log/", "/audit-sample/", "/retention/", "/findings/overdue"):
        assert auditor.get(path).status_code == 200, path


def test_r13_a_permission_that_nobody_granted_is_refused() -> None:
    granted = set().union(*ROLES.values())
    assert all(permission.startswith("can_") for permission, _name in granted)
    assert ("can_write", "signatures") not in ROLES[AUDITOR] | ROLES[MANAGER]
    written = {name for permission, name in ROLES[AUDITOR] if permission not in {"can_read", "can_read_all"}}
    assert written == {"findings", *OWN}


def test_r14_a_signature_names_who_when_and_what_it_means_and_is_bound_to_the_content(found: Any) -> None:
    result = released(found)
    signed = current_session().scalars(select(Signature).order_by(Signature.id)).all()
    assert [(item.meaning, item.signed_by, item.signed_id) for item in signed] == [
        ("verified", CHECKER.key, result.id),
        ("released", CHECKER.key, result.id),
    ]
    assert all(item.signed_at.utcoffset() == timedelta(0) for item in signed)
    assert all(item.meaning in MEANINGS for item in signed)
    other = amend_set(found.id, entry("424", "401", "390"), 1, CHECKER, "read wrongly")
    verify(found.id, ACTOR)
    hashes = {
        item.signed_id: item.content_sha256 for item in current_session().scalars(select(Signature)).all()
    }
    assert hashes[result.id] != hashes[other.id]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE signatures SET meaning = 'released'",
        "UPDATE signatures SET signed_by = 'user:9'",
        "DELETE FROM signatures",
    ],
)
def test_r14_the_database_itself_lets_no_signature_be_changed(found: Any, statement: str) -> None:
    released(found)
    with pytest.raises(DatabaseError, match="a signature is never"), transaction(CHECKER) as session:
        session.execute(text(statement))


def test_r15_no_step_is_signed_without_the_password(app: Flask, sign_in_as: Callable[[str], Person]) -> None:
    with app.app_context():
        found = three_days(a_batch("40"))
        record_set(found.id, entry("424", "401", "396"), ACTOR)
        result = current_session().scalars(select(SetResult)).one().id
    manager = sign_in_as(MANAGER)
    for step in ("verify", "release", "retract"):
        manager.post(f"/press/sets/{found.id}/{step}", {"reason": "x"})
        manager.client.post(
            f"/api/v1/set-results/{result}/steps/{step}", json={}, headers={"X-CSRFToken": manager.token}
        )
    with app.app_context():
        assert current_session().query(Signature).count() == 0
        assert current_session().get(SetResult, result).state == "entered"  # type: ignore[union-attr]


def test_r15_a_locked_page_ends_the_session_and_the_password_opens_a_new_one(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    auditor = sign_in_as(AUDITOR)
    auditor.post("/preferences/hide", {"name": "tour"})
    head = {"X-CSRFToken": auditor.token}
    assert auditor.client.post("/lock/", json={}, headers=head).status_code == 200
    assert auditor.get("/findings/").status_code == 302
    assert auditor.client.post("/unlock/", json={"password": "wrong"}, headers=head).status_code == 401
    answer = auditor.client.post("/unlock/", json={"password": PASSWORD}, headers=head)
    assert answer.status_code == 200
    assert answer.get_json()["token"]
    assert auditor.get("/findings/").status_code == 200


def test_r15_a_page_is_unlocked_after_its_cookie_has_ended_and_when_another_page_was_first(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    auditor = sign_in_as(AUDITOR)
    with auditor.client.session_transaction() as cookie:
        given = {"person": int(cookie["_user_id"]), "password": PASSWORD}
        cookie.clear()

    def unlock(who: Person, **changed: Any) -> TestResponse:
        """As the page does: refused for its old token, it is sent the one that counts and asks once more."""
        old = {"X-CSRFToken": "of a session that has ended", "Accept": "application/json"}
        stale = who.client.post("/unlock/", json={**given, **changed}, headers=old)
        assert stale.status_code == 400
        fresh = {**old, "X-CSRFToken": stale.get_json()["token"]}
        return who.client.post("/unlock/", json={**given, **changed}, headers=fresh)

    assert unlock(auditor, password="wrong").status_code == 401
    assert unlock(auditor, person=10**30).status_code == 401
    assert unlock(auditor).status_code == 200
    assert auditor.get("/findings/").status_code == 200
    assert unlock(auditor).status_code == 200  # the second page of the same person
    other = sign_in_as(MANAGER)
    assert unlock(other).status_code == 401  # somebody else's page
    assert other.get("/findings/").status_code == 200


def test_r16_nobody_anonymous_writes(found: Any) -> None:
    with pytest.raises(ValueError, match="kind:name"):
        Actor("user:", "")
    session = current_session()
    session.commit()
    session.add(Press(code="P-1", name="Press"))
    with pytest.raises((AnonymousWrite, SQLAlchemyError)):
        session.flush()
    session.rollback()
    with pytest.raises(SQLAlchemyError):
        session.execute(text("UPDATE specimen_sets SET number = number + 100"))
    session.rollback()


def test_r17_entry_time_stands_beside_test_time_and_back_dating_is_flagged(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        cast = datetime.now(UTC) - timedelta(days=30)
        batch = a_batch("40", cast_at=cast.isoformat())
        found = three_days(batch)
        late = SetBreaksIn.read(
            {"loads_kn": ["424", "401", "396"], "tested_at": (cast + timedelta(days=3)).isoformat()}
        )
        record_set(found.id, late, ACTOR)
        broken = current_session().scalars(select(Break)).first()
        assert broken is not None
        assert broken.tested_at is not None
        assert broken.created_at - broken.tested_at > timedelta(days=26)
        day = cast.date()
        sample = f"/audit-sample/?first={day - timedelta(days=2)}&last={day + timedelta(days=2)}&size=12&seed=1&go=1"
    page = sign_in_as(AUDITOR).get(sample).get_data(as_text=True)
    assert re.search(r'answer-no">.{0,200}Entered within a day of the test', page, re.S)


def test_r18_the_strength_follows_from_load_and_size_as_decimals(found: Any) -> None:
    record_set(found.id, entry("424.5", "401", "396"), ACTOR)
    for item in current_session().scalars(select(Break)):
        assert isinstance(item.load_kn, Decimal)
        assert item.load_kn is not None
        exact = compressive_strength(item.load_kn, item.specimen.shape, item.specimen.width_mm or Decimal(0))
        assert item.strength_mpa == exact.quantize(Decimal("0.0001"), ROUND_HALF_EVEN)
        assert recomputed(item.specimen, item) is True


# --- the record of changes, read by people -------------------------------------------------------------------------


def test_history_tells_before_and_after_in_the_users_words(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        press = SERVICES["presses"].add({"code": "P-1", "name": "Old name", "capacity_kn": "2000"}, ACTOR)
        SERVICES["presses"].edit(
            press.id, {"code": "P-1", "name": "New name", "capacity_kn": "3000"}, press.version, ACTOR
        )
        key = press.id
    page = sign_in_as(AUDITOR).get(f"/audit-log/presses/{key}").get_data(as_text=True)
    assert re.search(
        r"Capacity <span class=\"unit\">kN</span></dt><dd><del>2000</del> → <ins>3000</ins>", page
    )
    assert "<del>Old name</del>" in page
    assert "capacity_kn" not in page


def test_every_captured_value_has_a_label_that_is_no_column_name(app: Flask) -> None:
    from lims.audit.log import NOT_LISTED, QUIET

    with app.test_request_context():
        unnamed = [
            f"{table.name}.{column.name}"
            for table in Model.metadata.sorted_tables
            if is_captured(table) and table.name not in NOT_LISTED
            for column in captured_columns(table)
            if column.name not in QUIET and label_of(table.name, column.name)[0] == "Another value"
        ]
    assert unnamed == []


def test_log_is_paged_by_key_and_filtered_by_person_kind_and_time(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        for number in range(30):
            SERVICES["presses"].add({"code": f"P-{number}", "name": "Press"}, CHECKER)
    auditor = sign_in_as(AUDITOR)
    first = auditor.get("/audit-log/?kind=presses&op=I&who=7").get_data(as_text=True)
    assert first.count('class="list-group-item change"') == 25
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older is not None
    second = auditor.get(older.group(1).replace("&amp;", "&")).get_data(as_text=True)
    assert second.count('class="list-group-item change"') == 5
    assert "Nothing changed" in auditor.get("/audit-log/?kind=presses&who=8").get_data(as_text=True)
    assert "Nothing changed" in auditor.get("/audit-log/?kind=presses&last=2001-01-01").get_data(as_text=True)
    for bad in ("op=X", "first=yesterday", "before=-1", "key=x"):
        assert auditor.get(f"/audit-log/?{bad}").status_code == 400, bad
    assert sign_in_as(TECHNICIAN).get("/audit-log/").status_code == 403
    # Only kinds are offered whose changes are recorded.
    kinds = auditor.get("/audit-log/").get_data(as_text=True)
    assert 'value="import_rows"' in kinds
    assert 'value="login_sessions"' not in kinds
    assert sign_in_as(TECHNICIAN).get("/audit-log/presses/1").status_code == 200
    assert sign_in_as(SALES).get("/audit-log/presses/1").status_code == 403


@pytest.mark.parametrize("word", ["endpoint=x", "_method=x", "_external=1&_scheme=javascript"])
def test_links_of_the_log_lead_nowhere_else_whatever_its_address_says(
    app: Flask, sign_in_as: Callable[[str], Person], word: str
) -> None:
    with app.app_context():
        for number in range(30):
            SERVICES["presses"].add({"code": f"P-{number}", "name": "Press"}, CHECKER)
    page = sign_in_as(AUDITOR).get(f"/audit-log/?kind=presses&before=100000&{word}")
    assert page.status_code == 200
    links = re.findall(r'href="([^"]*kind=presses[^"]*)"', page.get_data(as_text=True))
    assert links
    assert all(link.startswith("/audit-log/?") for link in links)


@pytest.mark.usefixtures("app")
def test_log_names_nothing_that_the_reader_may_not_read(app: Flask) -> None:
    with app.test_request_context():
        assert changes(Asked())[0] == []  # a visitor reads nothing
        press = SERVICES["presses"].add({"code": "P-1", "name": "Press"}, ACTOR)
        assert history_of(press)[0] == []
