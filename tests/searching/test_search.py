"""The search finds what is there, whatever way it was written, and only for those who may read it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy
from flask import Flask

from lims.accounts.roles import AUDITOR, SALES, TECHNICIAN
from lims.base.actor import system_actor
from lims.base.database import current_session, database, transaction
from lims.base.services import SERVICES
from lims.searching import service as searching
from lims.searching.service import Found, find_among, most_alike
from lims.searching.triggers import POSTGRESQL_DIGITS, SEARCHED
from lims.trials.models import Specimen
from lims.trials.short_codes import short_code
from tests.conftest import Person
from tests.factories import ACTOR, a_batch, a_customer, a_mix


def titles(letters: str, of_each: int = 6) -> list[str]:
    return [item.title for item in find_among(current_session(), letters.lower(), SEARCHED, of_each)]


@pytest.fixture(params=[200, 2], ids=["few", "many"])
def with_trigrams(
    records_on_both: Flask, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Flask:
    """The ways of letters in the middle on both: LIKE gives the same without the index that a wheel does not have."""
    monkeypatch.setattr(database().engine, "lims_trigrams", True, raising=False)
    monkeypatch.setattr(searching, "FEW", request.param)
    return records_on_both


def test_beginnings_come_first_and_middles_are_found(records_on_both: Flask) -> None:
    a_mix("C30-RIVER")
    a_mix("RIVER-C30")
    assert titles("river") == ["RIVER-C30", "C30-RIVER"]
    assert titles("RIVER-c30") == ["RIVER-C30"]


def test_two_chinese_characters_find_a_customer(records_on_both: Flask) -> None:
    a_customer("K-1", name="嘉陵江北混凝土搅拌站")
    assert titles("江北") == ["K-1 嘉陵江北混凝土搅拌站"]
    assert titles("搅拌站") == ["K-1 嘉陵江北混凝土搅拌站"]


def test_codes_in_the_wide_letters_of_an_input_method_are_found(
    records_on_both: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "may", lambda *_asked: True)
    a_customer("K-07", name="ＡＢＣ混凝土（东）")
    for wide in ("Ｋ－０７", "ｋ－０", "ＡＢＣ混凝土（东）"):
        assert [item.title for item in searching.find(wide)] == ["K-07 ＡＢＣ混凝土（东）"]
        assert SERVICES["customers"].page(search=wide).total == 1


def test_every_specimen_of_a_batch_is_found_by_its_code(records_on_both: Flask) -> None:
    batch = a_batch(volume_m3="40")
    codes = [specimen.code for item in batch.sets for specimen in item.specimens]
    assert len(codes) == 9
    for code in codes:
        assert code in titles(code)


def test_a_changed_name_is_found_and_the_old_one_is_not(records_on_both: Flask) -> None:
    customer = a_customer("K-1", name="Old Quarry")
    SERVICES["customers"].edit(customer.id, {"code": "K-1", "name": "New Quarry"}, customer.version, ACTOR)
    assert titles("old quarry") == []
    assert titles("new quarry") == ["K-1 New Quarry"]


def test_rows_written_past_the_orm_are_found_too(records_on_both: Flask) -> None:
    customer = a_customer("K-1", name="First")
    with transaction(system_actor("test")) as session:
        session.execute(sqlalchemy.text("UPDATE customers SET name = 'Bulkwritten'"))
    assert titles("bulkwritten") == ["K-1 Bulkwritten"]
    assert customer.id


@pytest.mark.parametrize("letters", ['"', "'", "%", "_", "\\", "*", "a\"b'c", "NEAR(", "title:x", "-"])
def test_letters_with_a_meaning_in_some_query_language_are_only_letters(
    records_on_both: Flask, letters: str
) -> None:
    a_customer("K-1", name="Plain Ltd")
    assert "K-1 Plain Ltd" not in titles(letters) or letters in "K-1 Plain Ltd"


def test_at_most_so_many_of_each_kind(records_on_both: Flask) -> None:
    for number in range(9):
        a_mix(f"NEEDLE-{number}")
    found = find_among(current_session(), "needle", SEARCHED, 4)
    assert [item.record_name for item in found] == ["mix-designs"] * 4
    assert isinstance(found[0], Found)


def test_a_role_finds_only_what_it_may_read(app: Flask, sign_in_as: Callable[[str], Person]) -> None:
    with app.app_context():
        batch = a_batch(volume_m3="40")
        code = batch.sets[0].specimens[0].code
    said = {
        role: sign_in_as(role).get(f"/search/suggest?q={code}").get_json()["groups"]
        for role in (TECHNICIAN, AUDITOR, SALES)
    }
    assert [group["title"] for group in said[TECHNICIAN]] == ["Specimens"]
    assert said[AUDITOR] == said[TECHNICIAN]
    assert said[SALES] == []


def test_letters_around_a_telling_number_are_all_heeded(with_trigrams: Flask) -> None:
    """The index is asked for the digits alone; what stands around them still decides."""
    codes = [
        "M24-055556-28D-1C",
        "M24-055556-28D-2C",
        "M24-055556-7D-1C",
        "X_055556.28",
        "X-155556-28D-1C",
        "MÉL-055556-a",
    ]
    made = {a_mix(code).id: code for code in codes}
    wanted = [code[i:j] for code in codes for i in range(len(code)) for j in range(i + 3, len(code) + 1)]
    for letters in set(wanted):
        expected = {code for code in codes if letters.lower() in code.lower()}
        assert {title.strip() for title in titles(letters, of_each=20)} == expected, letters
        listed = SERVICES["mix-designs"].page(search=letters, size=50).items
        assert {made[item.id] for item in listed} == expected, letters


def test_digits_that_tell_are_found_in_the_middle_of_a_specimen_s_code_on_any_postgresql(
    records_on_both: Flask,
) -> None:
    """A server without pg_trgm among them: it finds five digits by an index of its own."""
    batch = a_batch(volume_m3="40", code="B26-704518")
    code = batch.sets[1].specimens[2].code
    for letters in ("04518-", "704518", code[4:]):
        assert code in titles(letters, of_each=9), letters
        assert code in [item.code for item in SERVICES["specimens"].page(search=letters).items], letters
    assert code not in titles("04519", of_each=9)


def test_every_run_of_digits_of_a_long_text_is_found_whole_and_in_part(records_on_both: Flask) -> None:
    long = "7" * 100 + "0012345"
    a_customer("K-1", name=f"Phone 0082 13800138000, tax 91500000MA5U, {long}")
    for letters in ("13800138000", "38001", "91500000ma", "0012345", "7" * 99, "00012345"):
        expected = ["K-1"] if letters in f"13800138000 91500000ma5u {long}" else []
        assert [title.split()[0] for title in titles(letters)] == expected, letters


def test_postgresql_splits_digits_as_the_search_asks_for_them(postgresql_app: Flask) -> None:
    """The function stands in a migration: who changes TELLING_DIGITS writes another one."""
    with postgresql_app.app_context():
        session = current_session()
        body = session.scalar(sqlalchemy.text("SELECT prosrc FROM pg_proc WHERE proname = 'search_digits'"))
        assert body.strip() in POSTGRESQL_DIGITS[0]
        split = sqlalchemy.text("SELECT search_digits(:title)")
        found = session.scalar(split, {"title": "B24-055556 1234 9876543"})
    assert found == [5555, 55556, 98765, 87654, 76543]


def test_postgresql_looks_digits_up_in_their_index(postgresql_app: Flask) -> None:
    """Of a few rows it would read the table, whatever the question: here it may not."""
    with postgresql_app.app_context():
        session = current_session()
        session.execute(sqlalchemy.text("SET LOCAL enable_seqscan = off"))
        held = searching._held("b24-055556")
        query = sqlalchemy.text(f"EXPLAIN SELECT e.id {held}")
        plan = "\n".join(session.scalars(query, {"wanted": "b24-055556"}))
    assert "Bitmap Index Scan on search_digits" in plan


def test_a_whole_code_with_telling_digits_is_what_was_meant(technician: Person, app: Flask) -> None:
    with app.app_context():
        for code in ("M24-055556", "OLD-M24-055556", "M24", "OLD-M24"):
            a_mix(code)

    def suggested(letters: str) -> list[str]:
        groups = technician.get(f"/search/suggest?q={letters}").get_json()["groups"]
        return [item["title"].strip() for group in groups for item in group["items"]]

    assert suggested("m24-055556") == ["M24-055556"]
    assert suggested("24-055556") == ["M24-055556", "OLD-M24-055556"]
    assert "OLD-M24" in suggested("m24")
    assert "OLD-M24-055556" in technician.get("/search/?q=M24-055556").get_data(as_text=True)


def test_a_page_of_hits_and_more_hits_than_a_page_are_told_alike(
    records_on_both: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(8):
        a_mix(f"C30-RIVER-{number}")
        a_customer(f"K-RIVER-{number}")
    few = {letters: titles(letters, of_each=3) for letters in ("river", "ver-3", "30-r")}
    monkeypatch.setattr(searching, "FEW", 2)
    assert {letters: titles(letters, of_each=3) for letters in few} == few
    assert len(few["river"]) == 6


def test_search_asks_the_database_twice_at_most(
    app: Flask, technician: Person, count_sql: Callable[[], object]
) -> None:
    with app.app_context():
        a_mix("NEEDLE-1")
    technician.get("/search/suggest?q=needle")
    with count_sql() as statements:  # type: ignore[attr-defined]
        technician.get("/search/suggest?q=eedle")
    assert sum("search_entries" in statement for statement in statements) <= 2


def test_scanned_short_code_opens_its_specimen(
    app: Flask, technician: Person, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        batch = a_batch(volume_m3="40")
        specimen: Specimen = batch.sets[0].specimens[1]
        code, short, specimen_id = specimen.code, short_code(specimen.id), specimen.id
    to_scan = technician.get(f"/search/?q={short}&go=1")
    assert to_scan.status_code == 302
    opened = technician.get(to_scan.headers["Location"])
    assert opened.headers["Location"].endswith(f"/entry/?code={code}")
    reader = sign_in_as(AUDITOR)
    assert reader.get(f"/press/scan/{short}").headers["Location"].endswith(f"/specimens/{specimen_id}")
    wrong = short[:-1] + ("0" if short[-1] != "0" else "1")
    answer = technician.get(f"/press/scan/{wrong}")
    assert answer.status_code == 400
    assert "short code" in answer.get_data(as_text=True)


def test_a_word_deep_in_a_complaint_finds_it_and_is_forgotten_with_it(records_on_both: Flask) -> None:
    """Letter 3,000 of what the customer says, and what was done in the end; an index of PostgreSQL holds no such text."""
    customer = a_customer()
    story = "The wall was sprayed again and again. " * 78 + "Quicksilverish dust came off. " + "End. " * 900
    assert story.index("Quicksilverish") > 2900
    complaint = SERVICES["complaints"].add(
        {"customer_id": customer.id, "subject": "Dust", "description": story}, ACTOR
    )
    title = f"{complaint.code} Dust"
    assert titles("quicksilverish") == titles(complaint.code.lower()) == [title]
    found = SERVICES["complaints"].page(search="quicksilverish").items
    assert [item.id for item in found] == [complaint.id]
    assert most_alike("complaints", "Quicksilverish", 5) == [complaint.id]
    values = {name: getattr(complaint, name) for name in ("subject", "severity", "channel")}
    SERVICES["complaints"].edit(complaint.id, {**values, "description": "Short"}, complaint.version, ACTOR)
    assert titles("quicksilverish") == []
    with transaction(system_actor("test")) as session:
        session.execute(sqlalchemy.text("UPDATE complaints SET remedy = 'Wetted with a Zephyrnozzle'"))
    assert titles("zephyrnozzle") == [title]
