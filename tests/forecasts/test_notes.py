"""What the model says beside a number, in the user's language."""

from __future__ import annotations

import pytest
from flask import Flask
from flask_babel import force_locale

from lims.forecasts.notes import in_words
from lims.strength.history import AgeStrength, MixHistory
from lims.strength.model import fit
from tests.strength.test_model import HISTORY, NEW, early


@pytest.mark.parametrize(
    "mix",
    [
        MixHistory("L", "nothing", ()),
        MixHistory("L", "bare", (AgeStrength(3.0, 20.0),)),
        MixHistory("new", "odd age", (AgeStrength(4.0, 20.0),), NEW[0].composition),
        MixHistory("L", "outside", early(NEW[0], 3.0).breaks, dict(NEW[0].composition, water_kg_m3=90.0)),
    ],
    ids=lambda mix: mix.mix_id,
)
def test_every_sentence_of_the_model_is_known_in_chinese(app: Flask, mix: MixHistory) -> None:
    (found,) = fit(HISTORY, prior=()).forecast([mix])
    assert found.note
    with app.test_request_context(), force_locale("zh"):
        said = in_words(found.note)
    assert not any(word in said for word in ("the", "history", "mixes", "strengths"))


def test_every_sentence_about_a_recipe_that_is_not_whole_is_given_to_the_translators(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dry = {"cement_kg_m3": 350.0, "fine_aggregate_kg_m3": 750.0}
    asked = [
        MixHistory("L", "no break", (), dry),
        MixHistory("L", "early", (AgeStrength(0.5, 3.0),), dry),
        MixHistory("L", "3 d", (AgeStrength(3.0, 15.0),), dry),
    ]
    notes = [item.note for item in fit(HISTORY[:20], prior=()).forecast(asked)]
    monkeypatch.setattr("lims.forecasts.notes._", lambda text, **values: "¶" + text % values)
    for note in notes:
        assert "water or binder unknown" in note
        assert all(part.startswith("¶") for part in in_words(note).split("; "))


def test_unknown_note_stays_as_it_was_stored(app: Flask) -> None:
    with app.test_request_context():
        assert in_words("something older; another") == "something older; another"
        assert in_words(None) == ""
