"""Texts of rules: English with its values beside it, so that another language can be said."""

from __future__ import annotations

import copy
import pickle

from lims.standards.words import said


def test_text_of_a_rule_keeps_its_values_when_it_is_copied_or_sent_to_another_process() -> None:
    text = said("one of %(options)s, at most %(most)s %%", options=("cube", "cylinder"), most=15)
    assert text == "one of cube, cylinder, at most 15 %"
    for again in (copy.deepcopy(text), pickle.loads(pickle.dumps(text))):  # noqa: S301 - our own
        assert (again, again.text, again.values) == (text, text.text, text.values)
