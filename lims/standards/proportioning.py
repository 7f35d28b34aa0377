"""Mix proportions by JGJ 55-2011: target strength, water/binder, water, binder, sand ratio, masses, moisture.

Masses are taken to whole kg/m^3 at each step, as the code's worked examples do (S): what is weighed is what counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal, localcontext
from itertools import pairwise

from lims.standards.checks import Check, Step, at_least, at_most
from lims.standards.errors import RuleInputError
from lims.standards.rounding import exact_context, require_number, round_half_even
from lims.standards.words import N_, said

#: 4.0.1: fcu,0 = fk + 1.645 s below C60, 1.15 fk from C60 on (S).
TARGET_FACTOR = Decimal("1.645")
TARGET_SHARE_HIGH = Decimal("1.15")
HIGH_STRENGTH_FROM_MPA = Decimal(60)
#: Deviation without history by grade up to, MPa (S).
DEVIATION_WITHOUT_HISTORY_MPA = (
    (Decimal(20), Decimal("4.0")),
    (Decimal(45), Decimal("5.0")),
    (Decimal(55), Decimal("6.0")),
)
#: Least deviation with history of at least 30 sets: to C30, above (R).
LEAST_DEVIATION_MPA = ((Decimal(30), Decimal("3.0")), (Decimal(60), Decimal("4.0")))
HISTORY_SETS = 30
#: 5.1.2: regression coefficients (alpha_a, alpha_b) by kind of coarse aggregate (S).
BOLOMEY = {"crushed": (Decimal("0.53"), Decimal("0.20")), "gravel": (Decimal("0.49"), Decimal("0.13"))}
#: 5.1.4: surplus factor of the cement's class (42.5 S, the rest R).
CEMENT_SURPLUS = {"32.5": Decimal("1.12"), "42.5": Decimal("1.16"), "52.5": Decimal("1.10")}
#: 5.1.3: influence of fly ash and slag by share of the binder, %: (lower, upper) ends (upper S).
FLY_ASH_FACTORS = (
    (Decimal(0), Decimal("1.00"), Decimal("1.00")),
    (Decimal(10), Decimal("0.85"), Decimal("0.95")),
    (Decimal(20), Decimal("0.75"), Decimal("0.85")),
    (Decimal(30), Decimal("0.65"), Decimal("0.75")),
    (Decimal(40), Decimal("0.55"), Decimal("0.65")),
)
SLAG_FACTORS = (
    (Decimal(0), Decimal("1.00"), Decimal("1.00")),
    (Decimal(10), Decimal("1.00"), Decimal("1.00")),
    (Decimal(20), Decimal("0.95"), Decimal("1.00")),
    (Decimal(30), Decimal("0.90"), Decimal("1.00")),
    (Decimal(40), Decimal("0.80"), Decimal("0.90")),
    (Decimal(50), Decimal("0.70"), Decimal("0.85")),
)
#: Note 2 of the table: what slag of S105 may be taken with above the upper end (R).
SLAG_S105_ADDS = Decimal("0.05")
#: 5.2.1: water, kg/m^3, by upper end of the slump, mm, in the order of the sizes (S).
WATER_SIZES_MM = {
    "gravel": (Decimal(10), Decimal(20), Decimal("31.5"), Decimal(40)),
    "crushed": (Decimal(16), Decimal(20), Decimal("31.5"), Decimal(40)),
}
WATER_KG_M3: dict[str, tuple[tuple[int, tuple[int, ...]], ...]] = {
    "gravel": (
        (30, (190, 170, 160, 150)),
        (50, (200, 180, 170, 160)),
        (70, (210, 190, 180, 170)),
        (90, (215, 195, 185, 175)),
    ),
    "crushed": (
        (30, (200, 185, 175, 165)),
        (50, (210, 195, 185, 175)),
        (70, (220, 205, 195, 185)),
        (90, (230, 215, 205, 195)),
    ),
}
SLUMP_RANGE_MM = (Decimal(10), Decimal(260))
#: 5.2.2: above 90 mm, 5 kg for each 20 mm (S).
WATER_SLUMP_FROM_MM, WATER_PER_STEP_KG, SLUMP_STEP_MM = Decimal(90), Decimal(5), Decimal(20)
#: 5.4.2: sand ratio, % (least, most), by W/B, at slumps of 10 to 60 mm, in the order of the sizes (0.40 S, rest R).
SAND_SIZES_MM = {
    "gravel": (Decimal(10), Decimal(20), Decimal(40)),
    "crushed": (Decimal(16), Decimal(20), Decimal(40)),
}
SAND_RATIO_PERCENT: dict[str, tuple[tuple[Decimal, tuple[tuple[int, int], ...]], ...]] = {
    "gravel": (
        (Decimal("0.40"), ((26, 32), (25, 31), (24, 30))),
        (Decimal("0.50"), ((30, 35), (29, 34), (28, 33))),
        (Decimal("0.60"), ((33, 38), (32, 37), (31, 36))),
        (Decimal("0.70"), ((36, 41), (35, 40), (34, 39))),
    ),
    "crushed": (
        (Decimal("0.40"), ((30, 35), (29, 34), (27, 32))),
        (Decimal("0.50"), ((33, 38), (32, 37), (30, 35))),
        (Decimal("0.60"), ((36, 41), (35, 40), (33, 38))),
        (Decimal("0.70"), ((39, 44), (38, 43), (36, 41))),
    ),
}
#: Sand ratio: 1 % for each 20 mm of slump above 60 mm (S).
SAND_SLUMP_FROM_MM = Decimal(60)
#: 3.0.4: least binder, kg/m^3, plain / reinforced / prestressed, by W/B up to (S).
LEAST_BINDER_KG_M3 = (
    (Decimal("0.45"), (330, 330, 330)),
    (Decimal("0.50"), (320, 320, 320)),
    (Decimal("0.55"), (280, 300, 300)),
    (Decimal("0.60"), (250, 280, 300)),
)
STRUCTURES = ("plain", "reinforced", "prestressed")
#: 3.0.4: concretes up to this grade need no least binder (R).
NO_LEAST_BINDER_TO_MPA = Decimal(15)
#: 3.0.5: most fly ash, slag and compound of both, % of the binder, by structure: at W/B up to 0.40, above; each with P.I or
#: P.II and with P.O (R). Plain concrete has no limit.
ADMIXTURE_LIMITS_TO_RATIO = Decimal("0.40")
CEMENT_KINDS = ("P.O", "P.I/P.II")
ADMIXTURE_LIMITS_PERCENT: dict[str, dict[str, tuple[dict[str, int], dict[str, int]]]] = {
    "reinforced": {
        "fly ash": ({"P.I/P.II": 45, "P.O": 35}, {"P.I/P.II": 40, "P.O": 30}),
        "slag": ({"P.I/P.II": 65, "P.O": 55}, {"P.I/P.II": 55, "P.O": 45}),
        "compound": ({"P.I/P.II": 65, "P.O": 55}, {"P.I/P.II": 55, "P.O": 45}),
    },
    "prestressed": {
        "fly ash": ({"P.I/P.II": 35, "P.O": 30}, {"P.I/P.II": 25, "P.O": 20}),
        "slag": ({"P.I/P.II": 55, "P.O": 45}, {"P.I/P.II": 45, "P.O": 35}),
        "compound": ({"P.I/P.II": 55, "P.O": 45}, {"P.I/P.II": 45, "P.O": 35}),
    },
}
#: 5.5.1: assumed density of the fresh concrete, kg/m^3 (R).
DENSITY_RANGE_KG_M3 = (Decimal(2350), Decimal(2450))
#: 5.5.2: air, %, of concrete without air entrainment (R).
AIR_PERCENT = Decimal(1)
WATER_DENSITY_KG_M3 = Decimal(1000)
WHOLE_KG = Decimal(1)


@dataclass(frozen=True, slots=True)
class HighStrength:
    """A row of table 7.3.2, ends within: grades from, what they are called, W/B, binder in kg/m^3, sand ratio in %."""

    from_mpa: Decimal
    grades: str
    ratio: tuple[Decimal, Decimal]
    binder_kg_m3: tuple[Decimal, Decimal]
    sand_ratio_percent: tuple[Decimal, Decimal]


#: 7.3.2: high-strength concrete, the highest grade first (R).
HIGH_STRENGTH = (
    HighStrength(
        Decimal(100),
        "C100",
        (Decimal("0.24"), Decimal("0.26")),
        (Decimal(550), Decimal(600)),
        (Decimal(35), Decimal(42)),
    ),
    HighStrength(
        Decimal(80),
        N_("C80 to below C100"),
        (Decimal("0.26"), Decimal("0.28")),
        (Decimal(520), Decimal(580)),
        (Decimal(35), Decimal(42)),
    ),
    HighStrength(
        HIGH_STRENGTH_FROM_MPA,
        N_("C60 to below C80"),
        (Decimal("0.28"), Decimal("0.34")),
        (Decimal(480), Decimal(560)),
        (Decimal(35), Decimal(42)),
    ),
)


def _whole_kg(mass: Decimal) -> Decimal:
    """To whole kg, a half up: the worked answer takes 232.5 kg of water to 233 (half to even would give 232)."""
    return mass.quantize(WHOLE_KG, rounding=ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class Proportioning:
    """What a mix is asked for. Shares in % of the binder, sizes and slump in mm, strengths in MPa."""

    grade_mpa: Decimal
    aggregate: str
    max_size_mm: Decimal
    slump_mm: Decimal
    cement_class: str
    structure: str = "reinforced"
    deviation_mpa: Decimal | None = None
    deviation_sets: int | None = None
    cement_strength_mpa: Decimal | None = None
    fly_ash_percent: Decimal = Decimal(0)
    slag_percent: Decimal = Decimal(0)
    fly_ash_factor: Decimal | None = None
    slag_factor: Decimal | None = None
    water_reduction_percent: Decimal = Decimal(0)
    water_binder_ratio: Decimal | None = None
    sand_ratio_percent: Decimal | None = None
    method: str = "mass"
    density_kg_m3: Decimal | None = None
    #: Densities for the volume method, kg/m^3: cement, fly_ash, slag, sand, stone.
    densities_kg_m3: Mapping[str, Decimal] | None = None
    air_percent: Decimal = AIR_PERCENT
    sand_moisture_percent: Decimal | None = None
    stone_moisture_percent: Decimal | None = None
    #: One of CEMENT_KINDS: P.O holds more fly ash and slag of its own.
    cement_kind: str = CEMENT_KINDS[0]


@dataclass(frozen=True, slots=True)
class Proportions:
    """Masses in kg/m^3 of aggregates as the densities state them (dry or saturated surface-dry), each step and check.

    `batch_kg_m3` are the masses to weigh with wet aggregates; None when no moisture was given.
    """

    target_mpa: Decimal
    water_binder_ratio: Decimal
    water_kg_m3: Decimal
    binder_kg_m3: Decimal
    cement_kg_m3: Decimal
    fly_ash_kg_m3: Decimal
    slag_kg_m3: Decimal
    sand_ratio_percent: Decimal
    sand_kg_m3: Decimal
    stone_kg_m3: Decimal
    density_kg_m3: Decimal
    steps: tuple[Step, ...]
    checks: tuple[Check, ...]
    batch_kg_m3: Mapping[str, Decimal] | None


def target_strength(
    grade_mpa: Decimal, deviation_mpa: Decimal | None = None, deviation_sets: int | None = None
) -> tuple[Decimal, Decimal | None]:
    """(fcu,0, the deviation used) in MPa, not rounded.

    Args: deviation_mpa with deviation_sets, s from at least 30 sets; without them the table's value.
    Raises: RuleInputError. Source: JGJ 55-2011 4.0.1, 4.0.2 (S; floors R).
    """
    grade = require_number("grade_mpa", grade_mpa, above=0, maximum=120)
    with localcontext(exact_context()):
        if grade >= HIGH_STRENGTH_FROM_MPA:
            return TARGET_SHARE_HIGH * grade, None
        if deviation_mpa is None:
            s = next((s for most, s in DEVIATION_WITHOUT_HISTORY_MPA if grade <= most), Decimal("6.0"))
        else:
            computed = require_number("deviation_mpa", deviation_mpa, above=0)
            if deviation_sets is None or deviation_sets < HISTORY_SETS:
                raise RuleInputError(
                    "deviation_sets",
                    deviation_sets,
                    said(
                        N_("at least %(least)s sets that the deviation comes from"),
                        least=HISTORY_SETS,
                    ),
                )
            s = max(computed, next(least for most, least in LEAST_DEVIATION_MPA if grade <= most))
        return grade + TARGET_FACTOR * s, s


def influence_factor(name: str, share_percent: Decimal, stated: Decimal | None = None) -> Decimal:
    """gamma of fly ash or slag at this share: the upper end of the table, linear between, or the stated one within it, of
    slag to 0.05 above it, as S105 may be taken.

    Args: name, "fly_ash" or "slag". Raises: RuleInputError. Source: JGJ 55-2011 5.1.3 (upper ends S, S105 R).
    """
    table: Sequence[tuple[Decimal, Decimal, Decimal]] = FLY_ASH_FACTORS if name == "fly_ash" else SLAG_FACTORS
    field = f"{name}_percent"
    share = require_number(field, share_percent, minimum=0, maximum=table[-1][0])
    with localcontext(exact_context()):
        low = high = Decimal(1)
        for (at, low_a, high_a), (until, low_b, high_b) in pairwise(table):
            if at <= share <= until:
                part = (share - at) / (until - at)
                low, high = low_a + (low_b - low_a) * part, high_a + (high_b - high_a) * part
                break
    if stated is None:
        return high
    factor = require_number(f"{name}_factor", stated, above=0)
    if name == "slag" and share:
        high += SLAG_S105_ADDS
    if not low <= factor <= high:
        raise RuleInputError(
            f"{name}_factor",
            stated,
            said(
                N_("%(low)s to %(high)s at %(share)s %% by the table"),
                low=f"{low:.3f}",
                high=f"{high:.3f}",
                share=share,
            ),
        )
    return factor


def binder_strength(
    cement_class: str,
    fly_ash_factor: Decimal,
    slag_factor: Decimal,
    cement_strength_mpa: Decimal | None = None,
) -> Decimal:
    """fb = gf gs fce, MPa, not rounded; fce measured, or gc times the class.

    Raises: RuleInputError. Source: JGJ 55-2011 5.1.3, 5.1.4 (S).
    """
    if cement_class not in CEMENT_SURPLUS:
        raise RuleInputError(
            "cement_class", cement_class, said(N_("one of %(options)s"), options=", ".join(CEMENT_SURPLUS))
        )
    with localcontext(exact_context()):
        if cement_strength_mpa is None:
            fce = CEMENT_SURPLUS[cement_class] * Decimal(cement_class)
        else:
            fce = require_number("cement_strength_mpa", cement_strength_mpa, above=0, maximum=120)
        return fly_ash_factor * slag_factor * fce


def water_binder_ratio(target_mpa: Decimal, binder_strength_mpa: Decimal, aggregate: str) -> Decimal:
    """W/B = aa fb / (fcu,0 + aa ab fb), not rounded. Raises: RuleInputError. Source: JGJ 55-2011 5.1.1 (S)."""
    if aggregate not in BOLOMEY:
        raise RuleInputError("aggregate", aggregate, "crushed or gravel")
    a, b = BOLOMEY[aggregate]
    with localcontext(exact_context()):
        return a * binder_strength_mpa / (target_mpa + a * b * binder_strength_mpa)


def water(aggregate: str, max_size_mm: Decimal, slump_mm: Decimal) -> Decimal:
    """Water without reducer, kg/m^3 to whole kg: the table, and 5 kg for each 20 mm of slump above 90 mm.

    Raises: RuleInputError. Source: JGJ 55-2011 5.2.1, 5.2.2 (S).
    """
    if aggregate not in WATER_KG_M3:
        raise RuleInputError("aggregate", aggregate, "crushed or gravel")
    sizes = WATER_SIZES_MM[aggregate]
    size = require_number("max_size_mm", max_size_mm, above=0)
    if size not in sizes:
        raise RuleInputError(
            "max_size_mm",
            max_size_mm,
            said(N_("one of %(options)s mm"), options=", ".join(f"{s:f}" for s in sizes)),
        )
    slump = require_number("slump_mm", slump_mm, minimum=SLUMP_RANGE_MM[0], maximum=SLUMP_RANGE_MM[1])
    column = sizes.index(size)
    rows = WATER_KG_M3[aggregate]
    with localcontext(exact_context()):
        base = next((values[column] for most, values in rows if slump <= most), rows[-1][1][column])
        extra = max(slump - WATER_SLUMP_FROM_MM, Decimal(0)) * WATER_PER_STEP_KG / SLUMP_STEP_MM
        return _whole_kg(base + extra)


def sand_ratio_range(
    aggregate: str, max_size_mm: Decimal, slump_mm: Decimal, ratio: Decimal
) -> tuple[Decimal, Decimal]:
    """(least, most) sand ratio, %, not rounded: linear in W/B and size, 1 % for each 20 mm of slump above 60 mm.

    W/B outside 0.40 to 0.70 takes the end of the table. Raises: RuleInputError. Source: JGJ 55-2011 5.4.2.
    """
    if aggregate not in SAND_RATIO_PERCENT:
        raise RuleInputError("aggregate", aggregate, "crushed or gravel")
    size = require_number("max_size_mm", max_size_mm, above=0)
    wb = require_number("water_binder_ratio", ratio, above=0)
    rows = SAND_RATIO_PERCENT[aggregate]
    with localcontext(exact_context()):

        def along(points: Sequence[tuple[Decimal, Decimal]], at: Decimal) -> Decimal:
            at = min(max(at, points[0][0]), points[-1][0])
            for (x0, y0), (x1, y1) in pairwise(points):
                if x0 <= at <= x1:
                    return y0 + (y1 - y0) * (at - x0) / (x1 - x0)
            raise AssertionError("ascending points cover their own range")

        def end(index: int) -> Decimal:
            by_ratio = []
            for row_ratio, pairs in rows:
                by_size = [
                    (s, Decimal(pair[index])) for s, pair in zip(SAND_SIZES_MM[aggregate], pairs, strict=True)
                ]
                by_ratio.append((row_ratio, along(by_size, size)))
            return along(by_ratio, wb)

        extra = max(slump_mm - SAND_SLUMP_FROM_MM, Decimal(0)) / SLUMP_STEP_MM
        return end(0) + extra, end(1) + extra


def high_strength(grade_mpa: Decimal) -> HighStrength | None:
    """What W/B, binder and sand ratio are chosen from, from C60 on; None below, where the formula holds.

    Raises: RuleInputError above C100. Source: JGJ 55-2011 7.3.2 (R).
    """
    grade = require_number("grade_mpa", grade_mpa, above=0, maximum=HIGH_STRENGTH[0].from_mpa)
    return next((row for row in HIGH_STRENGTH if grade >= row.from_mpa), None)


def admixture_limits(
    ratio: Decimal, structure: str, cement_kind: str, fly_ash_percent: Decimal, slag_percent: Decimal
) -> tuple[Check, ...]:
    """Fly ash and slag against the most of the binder that they may be; used together, their sum too. Plain concrete has no
    limit.

    Raises: RuleInputError. Source: JGJ 55-2011 3.0.5, tables 3.0.5-1 and 3.0.5-2 (R).
    """
    if cement_kind not in CEMENT_KINDS:
        raise RuleInputError("cement_kind", cement_kind, " or ".join(CEMENT_KINDS))
    limits = ADMIXTURE_LIMITS_PERCENT.get(structure)
    if limits is None:
        return ()
    column = 0 if ratio <= ADMIXTURE_LIMITS_TO_RATIO else 1
    shares = [(N_("fly ash"), fly_ash_percent), (N_("slag"), slag_percent)]
    if fly_ash_percent and slag_percent:
        shares.append((N_("compound"), fly_ash_percent + slag_percent))
    return tuple(
        at_most(
            said(N_("%(name)s, %% of binder"), name=name), share, Decimal(limits[name][column][cement_kind])
        )
        for name, share in shares
        if share
    )


def least_binder(ratio: Decimal, structure: str, grade_mpa: Decimal | None = None) -> Decimal:
    """Least binder, kg/m^3, by W/B and kind of structure; none (0) up to C15.

    Raises: RuleInputError. Source: JGJ 55-2011 3.0.4 (S; C15 R).
    """
    if structure not in STRUCTURES:
        raise RuleInputError("structure", structure, "plain, reinforced or prestressed")
    if grade_mpa is not None and grade_mpa <= NO_LEAST_BINDER_TO_MPA:
        return Decimal(0)
    column = STRUCTURES.index(structure)
    row = next((values for most, values in LEAST_BINDER_KG_M3 if ratio <= most), LEAST_BINDER_KG_M3[-1][1])
    return Decimal(row[column])


def proportion(asked: Proportioning) -> Proportions:
    """A mix by JGJ 55-2011, each step with its clause.

    Raises: RuleInputError for values outside the code's tables and for a mix that leaves no room for aggregate.
    """
    with localcontext(exact_context()):
        return _proportion(asked)


def _proportion(asked: Proportioning) -> Proportions:
    steps: list[Step] = []
    checks: list[Check] = []
    high = high_strength(asked.grade_mpa)
    target, s = target_strength(asked.grade_mpa, asked.deviation_mpa, asked.deviation_sets)
    formula = f"{asked.grade_mpa} + 1.645 x {s}" if s is not None else f"1.15 x {asked.grade_mpa}"
    steps.append(Step("4.0.1", N_("target strength fcu,0, MPa"), formula, target))
    if asked.fly_ash_percent + asked.slag_percent > 65:
        raise RuleInputError(
            "slag_percent", asked.slag_percent, N_("fly ash and slag together at most 65 % of the binder")
        )
    by_formula = _ratio_by_formula(asked, target, steps) if high is None else None
    if asked.water_binder_ratio is not None:
        chosen = require_number(
            "water_binder_ratio", asked.water_binder_ratio, minimum=Decimal("0.20"), maximum=Decimal("0.80")
        )
        steps.append(
            Step("5.1.1" if high is None else "7.3.2", N_("water/binder chosen"), N_("stated"), chosen)
        )
    elif by_formula is not None:
        chosen = by_formula
    else:
        assert high is not None
        raise RuleInputError(
            "water_binder_ratio",
            None,
            said(
                N_(
                    "a water/binder from %(low)s to %(high)s, chosen for %(grades)s by table 7.3.2 and trials: "
                    "the formula of 5.1.1 holds below C60"
                ),
                low=high.ratio[0],
                high=high.ratio[1],
                grades=high.grades,
            ),
        )
    plain_water = water(asked.aggregate, asked.max_size_mm, asked.slump_mm)
    steps.append(
        Step(
            "5.2.1" if asked.slump_mm <= WATER_SLUMP_FROM_MM else "5.2.2",
            N_("water without reducer, kg/m^3"),
            said(N_("table, slump %(slump)s mm"), slump=asked.slump_mm),
            plain_water,
        )
    )
    reduction = require_number(
        "water_reduction_percent", asked.water_reduction_percent, minimum=0, maximum=45
    )
    mixing = _whole_kg(plain_water * (100 - reduction) / 100)
    steps.append(Step("5.2.2", N_("water, kg/m^3"), f"{plain_water} x (1 - {reduction} %)", mixing))
    binder = _whole_kg(mixing / chosen)
    steps.append(Step("5.3.1", N_("binder, kg/m^3"), f"{mixing} / {chosen}", binder))
    least = least_binder(chosen, asked.structure, asked.grade_mpa)
    ratio = chosen
    if binder < least:
        binder = least
        steps.append(Step("3.0.4", N_("binder raised to the least, kg/m^3"), N_("table"), binder))
        # What is weighed is what counts: sand ratio, limits and answer go by the ratio of these masses.
        ratio = round_half_even(mixing / binder, Decimal("0.001"))
        steps.append(Step("3.0.4", N_("water/binder of the masses"), f"{mixing} / {binder}", ratio))
    if by_formula is not None:
        checks.append(at_most(N_("water/binder within the formula"), ratio, by_formula))
    if least:
        checks.append(at_least(N_("binder, kg/m^3"), binder, least))
    checks += admixture_limits(
        ratio, asked.structure, asked.cement_kind, asked.fly_ash_percent, asked.slag_percent
    )
    fly_ash = _whole_kg(binder * asked.fly_ash_percent / 100)
    slag = _whole_kg(binder * asked.slag_percent / 100)
    cement_mass = binder - fly_ash - slag
    steps.append(Step("5.3.2", N_("fly ash, kg/m^3"), f"{binder} x {asked.fly_ash_percent} %", fly_ash))
    steps.append(Step("5.3.2", N_("slag, kg/m^3"), f"{binder} x {asked.slag_percent} %", slag))
    steps.append(Step("5.3.3", N_("cement, kg/m^3"), f"{binder} - {fly_ash} - {slag}", cement_mass))
    clause, (lowest, highest) = (
        ("5.4.2", sand_ratio_range(asked.aggregate, asked.max_size_mm, asked.slump_mm, ratio))
        if high is None
        else ("7.3.2", high.sand_ratio_percent)
    )
    if asked.sand_ratio_percent is None:
        sand_ratio = round_half_even((lowest + highest) / 2, Decimal("0.1"))
        steps.append(
            Step(
                clause,
                N_("sand ratio, %"),
                said(N_("middle of %(low)s to %(high)s"), low=f"{lowest:.1f}", high=f"{highest:.1f}"),
                sand_ratio,
            )
        )
    else:
        sand_ratio = require_number("sand_ratio_percent", asked.sand_ratio_percent, minimum=20, maximum=60)
        steps.append(
            Step(
                clause,
                N_("sand ratio, %"),
                said(N_("stated; table %(low)s to %(high)s"), low=f"{lowest:.1f}", high=f"{highest:.1f}"),
                sand_ratio,
            )
        )
    if high is not None:
        checks += _within_table(high, ratio, binder, sand_ratio)
    sand, stone, density = _aggregates(asked, mixing, cement_mass, fly_ash, slag, sand_ratio, steps)
    if asked.method == "mass":
        lightest, heaviest = DENSITY_RANGE_KG_M3
        checks += [
            at_least(N_("assumed density, kg/m^3"), density, lightest),
            at_most(N_("assumed density, kg/m^3"), density, heaviest),
        ]
    found = Proportions(
        target,
        ratio,
        mixing,
        binder,
        cement_mass,
        fly_ash,
        slag,
        sand_ratio,
        sand,
        stone,
        density,
        tuple(steps),
        tuple(checks),
        None,
    )
    return _with_moisture(asked, found)


def _ratio_by_formula(asked: Proportioning, target: Decimal, steps: list[Step]) -> Decimal:
    """W/B by the strength of the binder, below C60. Source: JGJ 55-2011 5.1.1, 5.1.3."""
    gf = influence_factor("fly_ash", asked.fly_ash_percent, asked.fly_ash_factor)
    gs = influence_factor("slag", asked.slag_percent, asked.slag_factor)
    fb = round_half_even(
        binder_strength(asked.cement_class, gf, gs, asked.cement_strength_mpa), Decimal("0.1")
    )
    fce = asked.cement_strength_mpa
    cement = f"{fce}" if fce is not None else f"{CEMENT_SURPLUS[asked.cement_class]} x {asked.cement_class}"
    steps.append(Step("5.1.3", N_("binder strength fb, MPa"), f"{gf} x {gs} x {cement}", fb))
    full = water_binder_ratio(target, fb, asked.aggregate)
    # Taken down, so that the target is kept.
    by_formula = full.quantize(Decimal("0.01"), rounding=ROUND_FLOOR)
    a, b = BOLOMEY[asked.aggregate]
    steps.append(
        Step(
            "5.1.1", N_("water/binder by formula"), f"{a} x {fb} / ({target} + {a} x {b} x {fb})", by_formula
        )
    )
    return by_formula


def _within_table(high: HighStrength, ratio: Decimal, binder: Decimal, sand_ratio: Decimal) -> list[Check]:
    """A high-strength mix against its row. Source: JGJ 55-2011 7.3.2 (R)."""
    found = []
    for name, value, (low, most) in (
        (N_("water/binder"), ratio, high.ratio),
        (N_("binder, kg/m^3"), binder, high.binder_kg_m3),
        (N_("sand ratio, %"), sand_ratio, high.sand_ratio_percent),
    ):
        found += [
            at_least(said(N_("%(name)s, %(grades)s"), name=name, grades=high.grades), value, low),
            at_most(said(N_("%(name)s, %(grades)s"), name=name, grades=high.grades), value, most),
        ]
    return found


def _aggregates(
    asked: Proportioning,
    mixing: Decimal,
    cement: Decimal,
    fly_ash: Decimal,
    slag: Decimal,
    sand_ratio: Decimal,
    steps: list[Step],
) -> tuple[Decimal, Decimal, Decimal]:
    """(sand, stone, density of the concrete), kg/m^3."""
    share = sand_ratio / 100
    if asked.method == "mass":
        if asked.density_kg_m3 is None:
            raise RuleInputError(
                "density_kg_m3", None, N_("the assumed density, 2350 to 2450 kg/m^3, for the mass method")
            )
        density = require_number("density_kg_m3", asked.density_kg_m3, minimum=2000, maximum=2800)
        room = density - mixing - cement - fly_ash - slag
        if room <= 0:
            raise RuleInputError(
                "density_kg_m3", density, N_("room for aggregate: more than water and binder weigh")
            )
        sand = _whole_kg(room * share)
        stone = _whole_kg(room - sand)
        steps.append(
            Step("5.5.1", N_("sand, kg/m^3"), f"({density} - {density - room}) x {sand_ratio} %", sand)
        )
        steps.append(Step("5.5.1", N_("stone, kg/m^3"), f"{room} - {sand}", stone))
        return sand, stone, density
    if asked.method != "volume":
        raise RuleInputError("method", asked.method, "mass or volume")
    given = asked.densities_kg_m3 or {}
    needed = ["cement", "sand", "stone"] + [
        name for name, mass in (("fly_ash", fly_ash), ("slag", slag)) if mass
    ]
    for name in needed:
        if name not in given:
            raise RuleInputError(
                f"densities_kg_m3.{name}", None, N_("a density in kg/m^3, for the volume method")
            )
    rho = {
        name: require_number(f"densities_kg_m3.{name}", value, minimum=500, maximum=6000)
        for name, value in given.items()
    }
    air = require_number("air_percent", asked.air_percent, minimum=0, maximum=15)
    taken = cement / rho["cement"] + mixing / WATER_DENSITY_KG_M3 + air / 100
    taken += fly_ash / rho["fly_ash"] if fly_ash else 0
    taken += slag / rho["slag"] if slag else 0
    room = 1 - taken
    if room <= 0:
        raise RuleInputError("slump_mm", asked.slump_mm, N_("a mix that leaves room for aggregate"))
    total = room / (share / rho["sand"] + (1 - share) / rho["stone"])
    sand = _whole_kg(total * share)
    stone = _whole_kg(total * (1 - share))
    steps.append(
        Step(
            "5.5.2",
            N_("volume left for aggregate, m^3"),
            f"1 - {taken:.4f}",
            round_half_even(room, Decimal("0.0001")),
        )
    )
    steps.append(Step("5.5.2", N_("sand, kg/m^3"), f"{total:.1f} x {sand_ratio} %", sand))
    steps.append(Step("5.5.2", N_("stone, kg/m^3"), f"{total:.1f} x (1 - {sand_ratio} %)", stone))
    return sand, stone, mixing + cement + fly_ash + slag + sand + stone


def _with_moisture(asked: Proportioning, found: Proportions) -> Proportions:
    """Batch weights: a wet aggregate weighs its free water more, which is taken off the mixing water."""
    if asked.sand_moisture_percent is None and asked.stone_moisture_percent is None:
        return found
    sand_m = require_number(
        "sand_moisture_percent", asked.sand_moisture_percent or Decimal(0), minimum=0, maximum=20
    )
    stone_m = require_number(
        "stone_moisture_percent", asked.stone_moisture_percent or Decimal(0), minimum=0, maximum=20
    )
    in_sand = _whole_kg(found.sand_kg_m3 * sand_m / 100)
    in_stone = _whole_kg(found.stone_kg_m3 * stone_m / 100)
    left = found.water_kg_m3 - in_sand - in_stone
    if left < 0:
        raise RuleInputError(
            "sand_moisture_percent", sand_m, N_("aggregates that bring less water than the mix needs")
        )
    steps = (
        *found.steps,
        Step(N_("moisture"), N_("water with the sand, kg/m^3"), f"{found.sand_kg_m3} x {sand_m} %", in_sand),
        Step(
            N_("moisture"), N_("water with the stone, kg/m^3"), f"{found.stone_kg_m3} x {stone_m} %", in_stone
        ),
        Step(
            N_("moisture"), N_("water to add, kg/m^3"), f"{found.water_kg_m3} - {in_sand} - {in_stone}", left
        ),
    )
    batch = {
        "water": left,
        "cement": found.cement_kg_m3,
        "fly_ash": found.fly_ash_kg_m3,
        "slag": found.slag_kg_m3,
        "sand": found.sand_kg_m3 + in_sand,
        "stone": found.stone_kg_m3 + in_stone,
    }
    return replace(found, steps=steps, batch_kg_m3=batch)
