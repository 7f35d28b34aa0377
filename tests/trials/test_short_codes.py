"""Short codes name one specimen; one wrong or two swapped characters name none."""

from __future__ import annotations

import pytest
from flask import Flask
from flask_babel import Babel
from hypothesis import given
from hypothesis import strategies as st

from lims.base.problems import Refused
from lims.trials.short_codes import CHECKS, DIGITS, short_code, specimen_id_of

IDS = st.integers(1, 2**60)
APP = Flask("plain")
Babel(APP)


@given(IDS)
def test_code_leads_back_to_its_specimen(specimen_id: int) -> None:
    assert specimen_id_of(short_code(specimen_id)) == specimen_id


@given(IDS, st.data())
def test_one_wrong_character_is_refused(specimen_id: int, data: st.DataObject) -> None:
    code = short_code(specimen_id)
    place = data.draw(st.integers(0, len(code) - 1))
    other = data.draw(
        st.sampled_from([c for c in (CHECKS if place == len(code) - 1 else DIGITS) if c != code[place]])
    )
    with APP.app_context(), pytest.raises(Refused):
        specimen_id_of(code[:place] + other + code[place + 1 :])


@given(IDS, st.data())
def test_two_swapped_neighbours_are_refused(specimen_id: int, data: st.DataObject) -> None:
    code = short_code(specimen_id)
    place = data.draw(st.integers(0, len(code) - 3))
    swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    if swapped == code:
        return
    with APP.app_context(), pytest.raises(Refused):
        specimen_id_of(swapped)


def test_letters_that_look_like_digits_are_read_as_them() -> None:
    assert specimen_id_of(short_code(33).replace("1", "I").replace("0", "o").lower()) == 33


@pytest.mark.parametrize("specimen_id", [2**63, 32**13 - 1])
def test_code_of_a_number_that_is_no_key_is_refused(specimen_id: int) -> None:
    assert len(short_code(specimen_id)) == 14
    with APP.test_request_context(), pytest.raises(Refused, match="no specimen's short code"):
        specimen_id_of(short_code(specimen_id))
