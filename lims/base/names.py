"""Names of people as they are written: 李伟, but Wei Li."""

from __future__ import annotations

import re
from typing import Protocol

from lims.base.auditing.policy import ERASED

#: Written in Chinese alone, with the dot of names from other scripts (买买提·艾力).
_CHINESE = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff·]+")


class Named(Protocol):
    first_name: str
    last_name: str


def is_chinese(first: str, last: str) -> bool:
    """Is a name written in Chinese: the family name comes first, and nothing stands between the two?"""
    return _CHINESE.fullmatch(first.strip() + last.strip()) is not None


def full_name(first: str, last: str) -> str:
    """Given and family name as one, in the order of the script that they are written in; of an erased person the mark, which
    stands for both."""
    if first == last and first.startswith(f"{ERASED}-"):
        return first
    if is_chinese(first, last):
        return f"{last.strip()}{first.strip()}"
    return f"{first} {last}".strip()


def name_of(person: Named) -> str:
    """`full_name` of an account; Flask-AppBuilder's own puts the given name first in any script."""
    return full_name(person.first_name, person.last_name)
