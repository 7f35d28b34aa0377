"""Short codes of specimens for labels: the id in Crockford's base 32 with his check character (mod 37).

Eight characters hold a thousand million specimens; I, L and O are read as 1, 1 and 0, and a wrong or swapped character
is found before anything is opened. Source: Crockford, Base 32 (crockford.com/base32.html).
"""

from __future__ import annotations

from flask_babel import gettext as _

from lims.base.problems import refuse

DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CHECKS = DIGITS + "*~$=U"
#: Letters that look like digits.
READ_AS = str.maketrans({"I": "1", "L": "1", "O": "0"})
#: Shorter ids are filled up, so that a code never looks like a plain number.
LEAST_DIGITS = 5


def short_code(specimen_id: int) -> str:
    """Id -> code with its check character, e.g. 1234 -> "00016JG"."""
    if specimen_id <= 0:
        raise ValueError(f"{specimen_id} is not the id of a specimen")
    text, rest = "", specimen_id
    while rest:
        rest, digit = divmod(rest, 32)
        text = DIGITS[digit] + text
    return text.rjust(LEAST_DIGITS, "0") + CHECKS[specimen_id % 37]


def specimen_id_of(code: str) -> int:
    """Code -> id. Raises: Refused when the characters or the check do not fit."""
    # No dashes: the codes of sets and specimens have some, and one in 37 of them would pass the check.
    plain = code.strip().upper().replace(" ", "")
    body, check = plain[:-1].translate(READ_AS), plain[-1:].translate(READ_AS)
    wrong = refuse(
        "code",
        _("“%(value)s” is no specimen's short code: a character is wrong or missing", value=code[:40]),
        code,
    )
    if not LEAST_DIGITS <= len(body) <= 13 or any(c not in DIGITS for c in body) or check not in CHECKS:
        raise wrong
    number = 0
    for character in body:
        number = number * 32 + DIGITS.index(character)
    # Of the largest with thirteen characters the check may fit, and no database takes them for a key.
    if not 0 < number < 2**63 or CHECKS[number % 37] != check:
        raise wrong
    return number
