"""Accounts and roles: every change of who may do what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Annotated, Any
from zlib import crc32

from flask_appbuilder.security.sqla.models import (
    Permission,
    PermissionView,
    Role,
    User,
    ViewMenu,
)
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session, selectinload

from lims.accounts.roles import ROLES
from lims.base.actor import Actor
from lims.base.auditing.erasure import erase
from lims.base.auditing.policy import erased_mark
from lims.base.columns import utc_now
from lims.base.database import current_session, database, transaction
from lims.base.fields import Choice, Code, Flag, Kind, Text, Ui, whole_text
from lims.base.passwords import check_password_policy, hash_password
from lims.base.problems import Conflict, Forbidden, NotFound, refuse
from lims.base.schemas import Schema
from lims.base.security import rights_of
from lims.base.sessions import end_sessions_of
from lims.base.signatures import own_hash, wrong_too_often

#: Called with (session, account id, its address, the mark in its place) when a person is erased: subjects take the address
#: out of what they keep.
ERASED_TOO: list[Callable[[Session, int, str, str], None]] = []
#: PostgreSQL's lock of whoever gives an account its name or address.
NAMES_LOCK = 5_823_118

ROLE_LABELS = {
    "Technician": _l("Technician"),
    "Sales": _l("Sales"),
    "Service engineer": _l("Service engineer"),
    "Manager": _l("Manager"),
    "Auditor": _l("Auditor"),
    "Administrator": _l("Administrator"),
}


class TypedPassword(Kind):
    """As it was typed, with the blanks at its ends: signing in compares what is typed. What it must be says the policy."""

    widget = "password"

    def parse(self, value: Any) -> str:
        return whole_text(value)


class AccountIn(Schema):
    """A new account."""

    username: Annotated[str, Code(64), Ui(_l("User name"))]
    first_name: Annotated[str, Text(64), Ui(_l("Given name"))]
    last_name: Annotated[str, Text(64), Ui(_l("Family name"))]
    email: Annotated[str, Text(200), Ui(_l("E-mail"))]
    role: Annotated[str, Choice(ROLE_LABELS), Ui(_l("Role"))]
    password: Annotated[str, TypedPassword(), Ui(_l("First password"), help=_l("At least 10 characters"))]


class AccountEdit(Schema):
    """What an administrator may change of an account."""

    first_name: Annotated[str, Text(64), Ui(_l("Given name"))]
    last_name: Annotated[str, Text(64), Ui(_l("Family name"))]
    email: Annotated[str, Text(200), Ui(_l("E-mail"))]
    role: Annotated[str, Choice(ROLE_LABELS), Ui(_l("Role"))]
    active: Annotated[bool, Flag(), Ui(_l("May sign in"))] = False
    password: Annotated[
        str | None,
        TypedPassword(),
        Ui(_l("New password"), help=_l("Leave blank to keep the present one")),
    ] = None


def list_users() -> list[User]:
    query = select(User).options(selectinload(User.roles)).order_by(User.username)
    return list(current_session().scalars(query))


def get_user(user_id: int) -> User:
    """Raises: NotFound."""
    user = current_session().get(User, user_id) if 0 < user_id < 2**31 else None
    if user is None:
        raise NotFound(f"user {user_id}")
    return user


def find_user(username: str) -> User | None:
    return current_session().scalars(select(User).where(User.username == username)).one_or_none()


def add_user(data: AccountIn, actor: Actor) -> User:
    """Raises: Refused."""
    check_password_policy(data.password, data.username)
    _check_email(data.email)
    with transaction(actor, "account added") as session:
        _require_free(session, "username", data.username)
        _require_free(session, "email", data.email)
        now = utc_now().replace(tzinfo=None)
        user = User(
            username=data.username,
            first_name=data.first_name,
            last_name=data.last_name,
            email=data.email,
            active=True,
            password=hash_password(data.password),
            created_on=now,
            changed_on=now,
            login_count=0,
            fail_login_count=0,
        )
        # Set explicitly: the column default would look for a web request.
        user.created_by_fk = user.changed_by_fk = actor.user_id
        user.roles = [_role(session, data.role)]
        session.add(user)
        session.flush()
    return user


class _Accounts:
    """What `add_once` asks of a service: accounts are Flask-AppBuilder's table and no record of ours."""

    record = SimpleNamespace(record_name="users")
    schema = AccountIn

    def get(self, user_id: int) -> User:
        return get_user(user_id)

    def add(self, data: Mapping[str, Any], actor: Actor) -> User:
        return add_user(AccountIn.read(data), actor)


#: For forms that may be sent twice.
ACCOUNTS: Any = _Accounts()


def values_of(user: User) -> dict[str, Any]:
    """What may be changed of an account, as it stands."""
    return {
        "first_name": user.first_name,
        "last_name": user.last_name,
        "email": user.email,
        "active": bool(user.active),
        "role": user.roles[0].name if user.roles else "",
    }


def version_of(values: Mapping[str, Any]) -> int:
    """A number that tells one state of an account from another: signing in changes the row as well."""
    return crc32(repr(sorted(values.items())).encode()) or 1


def edit_user(user_id: int, data: AccountEdit, actor: Actor, version: int | None = None) -> User:
    """Change an account that was read at `version`; a new role, a new password or disabling signs the person out
    everywhere.

    Raises: Forbidden, NotFound, Refused, and Conflict with both values when another changed it meanwhile: who corrects a
    name does not give back a role that was taken away.
    """
    _check_email(data.email)
    with transaction(actor, "account changed") as session:
        user = _held(session, user_id, actor)
        held = values_of(user)
        if version not in (None, version_of(held)):
            yours = {name: getattr(data, name) for name in held if getattr(data, name) != held[name]}
            theirs = {name: _shown(held[name]) for name in yours}
            told = {name: _shown(value) for name, value in yours.items()}
            raise Conflict(user_id, theirs, told, version_of(held))
        if data.email.lower() != user.email.lower():
            _require_free(session, "email", data.email)
        if user.id == actor.user_id and (not data.active or [r.name for r in user.roles] != [data.role]):
            raise refuse(
                "role", _("cannot be taken from your own account; another administrator can do that")
            )
        ends = not data.active or data.password is not None or [r.name for r in user.roles] != [data.role]
        user.first_name, user.last_name, user.email = data.first_name, data.last_name, data.email
        user.active = data.active
        user.roles = [_role(session, data.role)]
        user.changed_on = utc_now().replace(tzinfo=None)
        user.changed_by_fk = actor.user_id
        if data.password is not None:
            check_password_policy(data.password, user.username)
            user.password = hash_password(data.password)
        if ends:
            end_sessions_of(session, user.id)
    return user


def is_erased(user: User) -> bool:
    """Were the person's data taken out? What the account did stands under this mark, so nobody else gets it."""
    return bool(user.username == erased_mark(user.id))


def erase_account(user_id: int, reason: str, actor: Actor) -> User:
    """Take a leaver's names and address out for good: of the account, of the record of changes, of mails. What the person
    did stands, under a mark; papers that were issued and names that were typed into records stay.

    Raises: Forbidden, NotFound, Refused while the account may sign in.
    """
    if not reason.strip():
        raise refuse("reason", _("is required: why the person is erased"))
    with transaction(actor, "personal data erased") as session:
        user = _held(session, user_id, actor)
        if user.active:
            raise refuse(
                "active", _("still may; accepted: an account that may not sign in any more"), user.username
            )
        address = user.email
        erase(User.__tablename__, user_id, actor, reason.strip()[:400])
        for forget_address in ERASED_TOO:
            forget_address(session, user_id, address, erased_mark(user_id))
    return user


def _held(session: Session, user_id: int, actor: Actor) -> User:
    """The account as it is now, held with the actor's own until the end. Raises: Forbidden, NotFound, Refused of one whose
    person was erased."""
    both = select(User.id).where(User.id.in_({user_id, actor.user_id or user_id})).order_by(User.id)
    session.execute(both.with_for_update(key_share=True))
    _require_still_allowed(actor)
    user = session.get(User, user_id, populate_existing=True)
    if user is None:
        raise NotFound(f"user {user_id}")
    if is_erased(user):
        raise refuse("", _("This person was erased; accepted: a new account"), user.username)
    return user


def _require_still_allowed(actor: Actor) -> None:
    """Two administrators who take each other's role away in the same moment would leave none. Raises: Forbidden for who lost
    it since the request came in."""
    if actor.user_id is None:
        return
    user = current_session().get(User, actor.user_id, populate_existing=True)
    if user is None or not user.active or ("can_write", "users") not in rights_of(user.id):
        raise Forbidden("write users")


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "✓" if value else "–"
    return str(ROLE_LABELS.get(value, value))


def change_own_password(user_id: int, present: str, new: str, again: str, actor: Actor) -> None:
    """Signs the person out everywhere, here included. Raises: Refused, for a while after several wrong ones too."""
    person, doing = get_user(user_id), ("sign-in", "change the password")
    if wrong_too_often(person, *doing):
        raise refuse("present", _("was wrong too often; wait ten minutes, then try again"))
    compared = own_hash(person, present, *doing)
    if compared is None:
        raise refuse("present", _("is not the present password"))
    if new != again:
        raise refuse("again", _("differs from the new password"))
    check_password_policy(new, person.username, "new")
    made = hash_password(new)  # takes as long as comparing: nobody waits for the turn to write meanwhile
    with transaction(actor, "password changed") as session:
        session.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))
        user = session.get(User, user_id, populate_existing=True)
        if user is None or user.password != compared:  # given another since
            raise refuse("present", _("is not the present password"))
        user.password = made
        user.changed_on = utc_now().replace(tzinfo=None)
        end_sessions_of(session, user.id)


def sync_permissions(pairs: set[tuple[str, str]], actor: Actor) -> int:
    """Make permissions and the shipped roles as the program defines them. Returns the number of rows written.

    `lims init`, `lims upgrade` and `lims demo` alone call this: in one process and one transaction, so that cold workers
    cannot race for it.
    Roles that the laboratory made itself are left alone.
    """
    wanted = set(pairs).union(*ROLES.values())
    with transaction(actor, "permissions") as session:
        permissions = _by_name(session, Permission, {name for name, _view in wanted})
        views = _by_name(session, ViewMenu, {view for _name, view in wanted})
        existing = {
            (row.permission_id, row.view_menu_id): row
            for row in session.scalars(select(PermissionView)).unique()
        }
        written = 0
        links = {}
        for name, view in sorted(wanted):
            key = (permissions[name].id, views[view].id)
            if key not in existing:
                existing[key] = PermissionView(permission_id=key[0], view_menu_id=key[1])
                session.add(existing[key])
                written += 1
            links[(name, view)] = existing[key]
        session.flush()
        roles = _by_name(session, Role, set(ROLES))
        for role_name, grants in ROLES.items():
            role = roles[role_name]
            target = [links[grant] for grant in sorted(grants)]
            if {row.id for row in role.permissions} != {row.id for row in target}:
                role.permissions = target
                written += 1
    return written


def grants_of_roles(connection: Connection) -> dict[str, set[tuple[str, str]]]:
    """role -> (permission, name) pairs, as the database has them."""
    query = (
        select(Role.name, Permission.name, ViewMenu.name)
        .join(Role.permissions)
        .join(PermissionView.permission)
        .join(PermissionView.view_menu)
    )
    found: dict[str, set[tuple[str, str]]] = {}
    for role, permission, view in connection.execute(query):
        found.setdefault(role, set()).add((permission, view))
    return found


def _by_name(session: Session, model: Any, names: set[str]) -> dict[str, Any]:
    found = {row.name: row for row in session.scalars(select(model).where(model.name.in_(names)))}
    for name in sorted(names - set(found)):
        found[name] = model(name=name)
        session.add(found[name])
    session.flush()
    return found


def _role(session: Session, name: str) -> Role:
    role = session.scalars(select(Role).where(Role.name == name)).one_or_none()
    if role is None:
        raise refuse("role", _("is not known here; run `lims init`"), name)
    return role


def _require_free(session: Session, field: str, value: str) -> None:
    """Raises: Refused. Held to the end: the tables tell anna from Anna, signing in does not, and would find two."""
    if not database().is_sqlite:  # which has one writer
        session.execute(select(func.pg_advisory_xact_lock(NAMES_LOCK)))
    column = getattr(User, field)
    if session.scalar(select(func.count()).where(func.lower(column) == value.lower())):
        raise refuse(field, _("is already taken; accepted: a value that no other account has"), value)


def _check_email(email: str) -> None:
    from email_validator import EmailNotValidError, validate_email

    try:
        validate_email(email, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise refuse("email", _("is not an e-mail address; accepted: name@example.com"), email) from None
