"""Share links: tokens are handed out once and kept as hashes; dead links look unknown."""

from __future__ import annotations

from typing import Any

import pytest
from flask import current_app
from sqlalchemy import select

from lims.audit.source import check_database, reading
from lims.base.auditing.lims_verify import verify
from lims.base.auditing.models import PersonalValue
from lims.base.columns import utc_now
from lims.base.database import current_session, database, transaction
from lims.base.problems import NotFound, Refused
from lims.base.services import SERVICES
from lims.sharing.answers import keep_answer
from lims.sharing.models import ShareAnswer, ShareLink
from lims.sharing.schemas import AnswerIn
from lims.sharing.service import ShareAnswerService, ShareLinkService
from tests.factories import ACTOR, a_trial

pytestmark = pytest.mark.usefixtures("records_on_both")
service = ShareLinkService()


def a_link(**more: object) -> tuple[ShareLink, str]:
    return service.create({"trial_id": a_trial().id, "name": "for Jiangbei", **more}, ACTOR)


def test_token_is_not_stored_and_finds_its_link() -> None:
    link, token = a_link()
    assert len(token) >= 43
    stored = [str(getattr(link, column.key)) for column in ShareLink.__mapper__.columns]
    assert not any(token in value for value in stored)
    found = service.by_token(token)
    assert found is not None
    assert found.id == link.id


def test_unknown_expired_and_revoked_tokens_look_the_same() -> None:
    link, token = a_link()
    assert service.by_token("x" * 43) is None
    service.revoke(link.id, ACTOR)
    assert service.by_token(token) is None
    other, other_token = a_link()
    with transaction(ACTOR):
        other.expires_at = utc_now()
    current_session().expire_all()
    assert service.by_token(other_token) is None


def test_what_is_not_on_the_list_cannot_be_shared() -> None:
    with pytest.raises(Refused) as refusal:
        a_link(shows="strengths,prices")
    assert "prices" in refusal.value.problems[0].message


def test_answer_on_its_way_while_its_link_is_revoked_is_kept_no_more() -> None:
    link, token = a_link()
    opened = service.by_token(token)
    assert opened is not None
    with current_app.app_context():
        service.revoke(link.id, ACTOR)
    with pytest.raises(NotFound):
        keep_answer(opened, AnswerIn.read({"kind": "question", "name": "Li", "contact": "1", "message": "?"}))
    assert current_session().query(ShareAnswer).count() == 0


def test_erasing_a_prospect_takes_who_answered_out_of_the_answers_too() -> None:
    link, _token = a_link()

    def sent(**said: str) -> int:
        return int(keep_answer(link, AnswerIn.read(said)).id)

    zhao = {"name": "Ms Zhao", "company": "North Mixing", "contact": "zhao@example.com"}
    asked, wanted = sent(**zhao, kind="question", message="How much fly ash?"), sent(**zhao, kind="trial")
    other = sent(kind="question", name="Mr Bai", contact="139")
    prospect = SERVICES["customers"].find(name="North Mixing")
    assert prospect is not None
    SERVICES["customers"].erase_contact(prospect.id, ACTOR)  # type: ignore[attr-defined]
    current_session().expire_all()
    mark = SERVICES["customers"].get(prospect.id).contact_name
    kept = {answer.id: (answer.name, answer.contact) for answer in current_session().query(ShareAnswer)}
    assert kept == {asked: (mark, mark), wanted: (mark, mark), other: ("Mr Bai", "139")}
    values = current_session().scalars(select(PersonalValue.value)).all()
    assert not [value for value in values if "zhao" in value.lower()]


def test_who_asked_and_opened_no_prospect_is_erased_by_their_answer() -> None:
    link, _token = a_link()

    def sent(name: str, contact: str) -> Any:
        return keep_answer(
            link, AnswerIn.read({"kind": "question", "name": name, "contact": contact, "message": "When?"})
        )

    asked, other = sent("Mr Bai", "139 0000"), sent("Ms Zhao", "zhao@example.com")
    answers = ShareAnswerService()
    marks = {answers.erase(asked.id, ACTOR).name for _click in (1, 2)}
    current_session().expire_all()
    found = answers.get(asked.id)
    assert marks == {found.name} == {found.contact}
    assert found.name.startswith("erased-")
    assert (found.message, found.erased) == ("When?", True)
    assert (answers.get(other.id).name, answers.get(other.id).erased) == ("Ms Zhao", False)
    values = set(current_session().scalars(select(PersonalValue.value)))
    assert {"Ms Zhao", "zhao@example.com"} <= values
    assert not values & {"Mr Bai", "139 0000"}
    with reading(database().engine) as source:
        report = verify(source)
        check_database(source, report)
    assert report.findings == []


def test_erasing_a_prospect_leaves_the_answer_of_another_who_has_the_same_name() -> None:
    """Two of one name on a link that went round: what the other asked, and where to reach them, would have been lost."""
    link, _token = a_link()
    zhao = {"kind": "trial", "name": "Ms Zhao"}
    gone, stays = (
        keep_answer(link, AnswerIn.read({**zhao, "company": company, "contact": contact})).id
        for company, contact in (("North Mixing", "139"), ("South Mixing", "188"))
    )
    prospect = SERVICES["customers"].find(name="North Mixing")
    assert prospect is not None
    SERVICES["customers"].erase_contact(prospect.id, ACTOR)  # type: ignore[attr-defined]
    current_session().expire_all()
    mark = SERVICES["customers"].get(prospect.id).contact_name
    kept = {answer.id: (answer.name, answer.contact) for answer in current_session().query(ShareAnswer)}
    assert kept == {gone: (mark, mark), stays: ("Ms Zhao", "188")}
