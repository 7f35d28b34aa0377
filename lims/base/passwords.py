"""What a password must be, and how it is kept."""

from __future__ import annotations

import unicodedata

from flask_babel import gettext as _
from werkzeug.security import check_password_hash, generate_password_hash

from lims.base.problems import Problem, Refused

SHORTEST = 10
LONGEST = 200
#: Patterns that top every list of broken passwords; matched inside the folded password.
COMMON = (
    "password", "passw0rd", "123456789", "987654321", "qwertyuiop", "qwerty123", "letmein", "welcome1",
    "iloveyou", "abc12345", "admin123", "administrator", "1q2w3e4r", "11111111", "00000000", "88888888",
    "woaini1314", "5201314",
)  # fmt: skip
#: scrypt N=2^15, r=8, p=1 (OWASP password storage cheat sheet).
METHOD = "scrypt:32768:8:1"


def check_password_policy(password: str, username: str, field: str = "password") -> None:
    """Raises: Refused when the password is short, common, one repeated letter, or holds the user's name."""
    folded = unicodedata.normalize("NFKC", password).casefold()
    problem = ""
    if not SHORTEST <= len(password) <= LONGEST:
        problem = _(
            "has %(n)s characters; accepted: %(low)s to %(high)s", n=len(password), low=SHORTEST, high=LONGEST
        )
    elif len(set(folded)) < 5:
        problem = _("repeats a few characters; accepted: at least five different ones")
    elif any(common in folded for common in COMMON):
        problem = _("is among the first that are guessed; accepted: words or letters that no list has")
    elif username and username.casefold() in folded:
        problem = _("holds the user name; accepted: a password without it")
    if problem:
        raise Refused([Problem(field, problem)])  # never echoes the value


def hash_password(password: str) -> str:
    return generate_password_hash(password, method=METHOD)


#: Compared when there is no such user, so that the answer takes as long as for a wrong password. No password has it: the
#: digest is zeros, and comparing makes one by the same method.
NOBODY = f"{METHOD}$no-such-user${128 * '0'}"


def password_matches(stored: str | None, password: str) -> bool:
    matched = check_password_hash(stored or NOBODY, password)
    return matched and stored is not None
