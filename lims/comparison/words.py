"""Comparisons and effects as sentences in the reader's language, made from the kept numbers each time they are shown."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from lims.comparison.outcome import Outcome
from lims.comparison.works import Measured
from lims.strength.comparison import NotComparable
from lims.strength.effects import Doubts

LAW_NAMES = {
    "power": _l("ln f over ln(b/w)"),
    "abrams": _l("Abrams: ln f over w/b"),
    "bolomey": _l("Bolomey: f over b/w"),
}
PRICE_NAMES = {
    "cement_own": _l("own cement"),
    "cement_other": _l("the other cement"),
    "scm": _l("mineral admixtures"),
    "admixture": _l("water reducer"),
    "aggregate": _l("aggregates"),
}


def signed(value: float, places: int = 0) -> str:
    """+15, −3, 0: with a true minus and no negative zero."""
    text = f"{abs(value):.{places}f}"
    if float(text) == 0:
        return text
    return ("+" if value > 0 else "−") + text


def size(value: float, places: int = 0) -> str:
    return f"{abs(value):.{places}f}"


def why_not(error: NotComparable) -> str:
    """Why the trials give no figure, and what would."""
    facts = error.facts
    whose = _("the own cement") if facts.get("own") else _("the other cement")
    if error.reason == "few_batches":
        return str(
            _(
                "Too few batches of %(whose)s: %(count)s with a released result. At least %(least)s "
                "are needed, over several water/binder ratios.",
                whose=whose,
                count=facts["count"],
                least=facts["least"],
            )
        )
    if error.reason == "narrow_span":
        return str(
            _(
                "The water/binder ratios of %(whose)s span only %(span)s. Cast mixes that lie at least "
                "%(least)s apart.",
                whose=whose,
                span=f"{facts['span']:.2f}",
                least=f"{facts['least']:.2f}",
            )
        )
    if error.reason == "no_overlap":
        return str(
            _(
                "The water/binder ratios do not overlap: own %(own_from)s–%(own_until)s, other "
                "%(other_from)s–%(other_until)s. A difference would be guessed, not measured.",
                **{
                    name: f"{facts[name]:.2f}"
                    for name in ("own_from", "own_until", "other_from", "other_until")
                },
            )
        )
    if error.reason == "shares_differ":
        return str(
            _(
                "The mineral admixtures differ with the cements: own %(own_percent)s %%, other "
                "%(other_percent)s %% of the binder. What they do would be taken for the cement's doing.",
                own_percent=f"{facts['own_percent']:.0f}",
                other_percent=f"{facts['other_percent']:.0f}",
            )
        )
    if error.reason == "flat_law":
        return str(_("In the trials of %(whose)s strength does not rise with more binder.", whose=whose))
    return str(
        _(
            "The strength asked for lies outside what was cast of %(whose)s (%(low)s–%(high)s MPa, "
            "w/b %(ratio_from)s–%(ratio_until)s). Nothing is extrapolated: cast a mix there, or "
            "ask for another strength.",
            whose=whose,
            low=f"{facts['strength_from']:.0f}",
            high=f"{facts['strength_until']:.0f}",
            ratio_from=f"{facts['ratio_from']:.2f}",
            ratio_until=f"{facts['ratio_until']:.2f}",
        )
    )


def other_shape() -> str:
    return str(
        _(
            "Cubes and cylinders are not compared: batches broken in the rarer of the two shapes were left out."
        )
    )


def headline(found: Outcome, *, prices: bool) -> str:
    """15 kg/m³ more and 0.3 % more admixture: 3 yuan/m³ dearer."""
    kg = found.binder_difference[0]
    if not found.told_apart:
        text = _(
            "The trials do not tell the two cements apart: the difference is %(kg)s kg/m³, and its "
            "90 %% interval from %(low)s to %(high)s holds 0.",
            kg=signed(kg),
            low=signed(found.binder_difference[1]),
            high=signed(found.binder_difference[2]),
        )
    elif kg > 0:
        text = _("For the same strength the own cement needs %(kg)s kg/m³ more binder", kg=size(kg))
    else:
        text = _("For the same strength the own cement needs %(kg)s kg/m³ less binder", kg=size(kg))
    parts = [str(text)]
    dose = found.admixture_difference
    if found.told_apart:
        if dose is not None and not dose[1] <= 0 <= dose[2]:
            parts.append(
                str(
                    _("and %(percent)s %% more admixture", percent=size(dose[0], 1))
                    if dose[0] > 0
                    else _("and %(percent)s %% less admixture", percent=size(dose[0], 1))
                )
            )
        sentence = parts[0]
        if len(parts) > 1:
            sentence = str(_("%(binder)s %(admixture)s", binder=parts[0], admixture=parts[1]))
    else:
        sentence = parts[0]
    money = cost_words(found) if prices else ""
    if not found.told_apart:
        return f"{sentence} {_priced(found)}".strip() if money else sentence
    if not money:
        return str(_("%(sentence)s.", sentence=sentence))
    return str(_("%(sentence)s: %(money)s.", sentence=sentence, money=money))


def _priced(found: Outcome) -> str:
    """Money where the binder is not told apart: a cheaper cement may still make cheaper concrete."""
    cost = found.cost_difference
    if cost is None:
        return ""
    words = {"cost": size(cost[0], 1), "low": signed(cost[1], 1), "high": signed(cost[2], 1)}
    if not found.cost_told_apart:
        return str(_("The cost is not told apart either (%(low)s to %(high)s yuan/m³).", **words))
    if cost[0] > 0:
        return str(
            _("With the own cement a cubic metre is %(cost)s yuan dearer (%(low)s to %(high)s).", **words)
        )
    return str(
        _("With the own cement a cubic metre is %(cost)s yuan cheaper (%(low)s to %(high)s).", **words)
    )


def cost_words(found: Outcome) -> str:
    """3 yuan/m³ dearer; "" without prices."""
    cost = found.cost_difference
    if cost is None:
        return ""
    amount = size(cost[0], 1 if abs(cost[0]) < 9.95 and round(abs(cost[0]), 1) % 1 else 0)
    if not found.cost_told_apart:
        text = _(
            "cost differs by %(cost)s yuan/m³, from %(low)s to %(high)s: not told apart",
            cost=signed(cost[0], 1),
            low=signed(cost[1], 1),
            high=signed(cost[2], 1),
        )
    elif cost[0] > 0:
        text = _("%(cost)s yuan/m³ dearer", cost=amount)
    else:
        text = _("%(cost)s yuan/m³ cheaper", cost=amount)
    return str(text)


def bag_words(found: Outcome) -> str:
    """8 bags instead of 7."""
    return str(
        _(
            "%(own)s bags of %(kg)s kg for a cubic metre with the own cement, %(other)s with the "
            "other (%(own_kg)s and %(other_kg)s kg of cement).",
            own=found.bags_own,
            other=found.bags_other,
            kg=f"{found.bag_kg:g}",
            own_kg=f"{found.cement_own:.0f}",
            other_kg=f"{found.cement_other:.0f}",
        )
    )


def admixture_words(found: Outcome) -> str:
    if found.admixture_difference is None:
        if found.admixture_reason == "slumps_differ":
            return str(_("The trials were not cast to the same slump: the admixture is not compared."))
        return str(_("Too few trials with admixture and slump: the admixture is not compared."))
    middle, low, high = found.admixture_difference
    if low <= 0 <= high:
        return str(
            _(
                "At %(slump)s mm slump the admixture differs by %(percent)s %% of the binder (%(low)s "
                "to %(high)s): not told apart.",
                slump=f"{found.slump_mm or 0:.0f}",
                percent=signed(middle, 2),
                low=signed(low, 2),
                high=signed(high, 2),
            )
        )
    return str(
        _(
            "At %(slump)s mm slump the own cement takes %(percent)s %% of the binder (%(low)s to "
            "%(high)s) of admixture against the other.",
            slump=f"{found.slump_mm or 0:.0f}",
            percent=signed(middle, 2),
            low=signed(low, 2),
            high=signed(high, 2),
        )
    )


def note_words(found: Outcome) -> list[str]:
    """What limits the figures."""
    words: dict[str, Any] = {
        "one_lot_each": _("One lot of each cement: this speaks for these two lots, not for the cements."),
        "few_lots": _("Fewer than three lots of a cement: the interval is wide, because lots differ."),
        "other_shape": other_shape(),
        "own_slopes": _(
            "The two cements do not run in parallel: the difference holds at this strength, not at others."
        ),
    }
    notes = [str(words[name]) for name in found.notes if name in words]
    if found.changes:
        notes.append(
            str(
                _(
                    "Changed at the works between these batches: %(what)s. Choose days before or after.",
                    what=_(", ").join(found.changes),
                )
            )
        )
    if found.prices_missing:
        notes.append(
            str(
                _(
                    "No cost: a price is missing for %(what)s.",
                    what=_(", ").join(str(PRICE_NAMES[name]) for name in found.prices_missing),
                )
            )
        )
    elif found.prices_left_out:
        notes.append(
            str(
                _(
                    "Without a price and left out of the cost: %(what)s.",
                    what=_(", ").join(str(PRICE_NAMES[name]) for name in found.prices_left_out),
                )
            )
        )
    return notes


def effect_words(found: Measured) -> str:
    """What happened to one measure, in a sentence."""
    effect, places = found.effect, found.places
    if effect.difference is None:
        return str(
            _(
                "Lots of one side only: %(before)s before, %(after)s after.",
                before=effect.lots_before,
                after=effect.lots_after,
            )
        )
    words = {
        "difference": size(effect.difference, places),
        "unit": found.unit,
        "before": effect.lots_before,
        "after": effect.lots_after,
    }
    if not effect.tested:
        if not effect.needed and effect.difference == 0:
            return str(_("All lots show the same figure: nothing to test."))
        if not effect.needed:
            return str(
                _(
                    "%(signed)s %(unit)s; the lots of each side show one and the same figure: nothing to test.",
                    signed=signed(effect.difference, places),
                    unit=found.unit,
                )
            )
        return str(
            _(
                "Too few lots for a test (%(before)s before, %(after)s after): %(needed)s more on the "
                "thinner side. So far the means differ by %(signed)s %(unit)s.",
                needed=effect.needed,
                signed=signed(effect.difference, places),
                **words,
            )
        )
    low, high = signed(effect.low or 0.0, places), signed(effect.high or 0.0, places)
    p = f"{effect.p:.3f}" if (effect.p or 0) >= 0.001 else "< 0.001"
    more = {**words, "low": low, "high": high, "p": p}
    if not effect.changed:
        return str(
            _(
                "No effect shown: %(signed)s %(unit)s (95 %% interval %(low)s to %(high)s; p %(p)s; "
                "%(before)s lots before, %(after)s after). So many lots would show %(visible)s "
                "%(unit)s.",
                signed=signed(effect.difference, places),
                visible=size(effect.detectable or 0.0, places),
                **more,
            )
        )
    if effect.difference > 0:
        return str(
            _(
                "Rose by %(difference)s %(unit)s (95 %% interval %(low)s to %(high)s; p %(p)s; "
                "%(before)s lots before, %(after)s after).",
                **more,
            )
        )
    return str(
        _(
            "Fell by %(difference)s %(unit)s (95 %% interval %(low)s to %(high)s; p %(p)s; "
            "%(before)s lots before, %(after)s after).",
            **more,
        )
    )


def doubt_words(found: Doubts) -> list[str]:
    """What else may explain a difference."""
    words = []
    if found.season_days is not None:
        words.append(
            str(
                _(
                    "Other seasons: the middles of the two periods lie %(days)s days of the year apart.",
                    days=found.season_days,
                )
            )
        )
    if found.drift_p is not None:
        words.append(
            str(_("The values drifted within the periods already (p %(p)s).", p=f"{found.drift_p:.3f}"))
        )
    if found.other_changes:
        words.append(
            str(
                _(
                    "Changed in the same time: %(what)s.",
                    what=_(", ").join(found.other_changes),
                )
            )
        )
    return words
