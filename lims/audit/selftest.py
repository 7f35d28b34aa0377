"""`lims selftest`: does this installation compute, guard and restore as it should? Each run keeps a dated paper."""

from __future__ import annotations

import json
import math
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

from flask_babel import gettext as _

from lims.audit.models import SelftestRun
from lims.base.actor import Actor
from lims.base.auditing.triggers import differences
from lims.base.columns import utc_now
from lims.base.database import database, transaction
from lims.base.display import show_time
from lims.base.files import keep_file
from lims.base.laboratory import laboratory
from lims.base.papers import pdf
from lims.operations import backup
from lims.operations.record_of_changes import faults_of_record
from lims.settings import Settings
from lims.standards.register import REGISTER
from lims.strength.history import AgeStrength, MixHistory
from lims.strength.model import fit

#: A fixed history of forty mixes by a formula, and a mix with breaks at 3 and 7 days: what the model says of it, MPa.
FORECAST_MPA = 28.553
#: Another processor's rounding moves it less than this, share.
FORECAST_TOLERANCE = 0.005


@dataclass(frozen=True, slots=True)
class Check:
    """`passed` None: left out, for the reason in `detail`."""

    name: str
    passed: bool | None
    detail: str


def fixed_mix(number: int) -> MixHistory:
    """Strength by Abrams' law with a scatter that is a formula too: no random number, the same everywhere."""
    ratio = 0.36 + 0.22 * ((number * 7) % 40) / 40
    binder = 300 + 5 * ((number * 11) % 30)
    f28 = 120 / 7.5 ** (1.5 * ratio) * (1 + 0.03 * math.sin(12.9898 * number))
    shares = ((3.0, 0.5), (7.0, 0.7), (28.0, 1.0))
    breaks = tuple(
        AgeStrength(age, f28 * share * (1 + 0.02 * math.sin(78.233 * number + age)), 3)
        for age, share in shares
    )
    masses = {
        "cement_kg_m3": float(binder),
        "water_kg_m3": ratio * binder,
        "coarse_aggregate_kg_m3": 1050.0,
        "fine_aggregate_kg_m3": 750.0,
    }
    return MixHistory("selftest", f"M{number}", breaks, masses)


def fixed_forecast() -> float:
    """MPa at 28 days of a mix of that kind from its breaks at 3 and 7 days."""
    asked = fixed_mix(100)
    early = MixHistory(asked.lab, asked.mix_id, asked.breaks[:2], asked.composition)
    said = fit([fixed_mix(number) for number in range(40)]).forecast([early])[0]
    return float(said.strength_mpa or 0.0)


def _rules() -> Check:
    misses = [miss for rule in REGISTER.rules for miss in rule.misses()]
    told = _("%(rules)s rules, %(vectors)s vectors", rules=len(REGISTER.rules), vectors=REGISTER.vectors())
    return Check(_("Rules: every vector"), not misses, "; ".join(misses[:5]) or told)


def _forecast() -> Check:
    said = fixed_forecast()
    off = abs(said / FORECAST_MPA - 1)
    told = _("%(said)s MPa, expected %(wanted)s MPa", said=f"{said:.3f}", wanted=f"{FORECAST_MPA:.3f}")
    return Check(_("Forecast of a fixed sample"), off <= FORECAST_TOLERANCE, told)


def _triggers() -> Check:
    with database().engine.connect() as connection:
        differing = differences(connection)
    told = ", ".join(differing[:10]) or _("as this version of the program makes them")
    return Check(_("Triggers that capture and guard"), not differing, told)


def _chain() -> Check:
    faults = faults_of_record(database().url)
    told = "; ".join(faults[:5]) or _(
        "every transaction follows the one before it, every entry fits its seal"
    )
    return Check(_("Record of changes"), not faults, told)


def _backup(settings: Settings) -> Check:
    name = _("Backup and restore")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "backup"
        manifest = backup.back_up(settings, place)
        faults = backup.verify(settings, place)
        size = sum(item.stat().st_size for item in place.rglob("*") if item.is_file())
    told = _(
        "%(database)s, %(mb)s MB, restored into a place of its own and compared",
        database=manifest.database,
        mb=f"{size / 1e6:.1f}",
    )
    return Check(name, not faults, "; ".join(faults[:5]) or told)


def checks(settings: Settings) -> Iterator[Check]:
    """One after the other; one that cannot run has failed, and says why."""
    work: list[tuple[str, Callable[[], Check]]] = [
        (_("Rules: every vector"), _rules),
        (_("Forecast of a fixed sample"), _forecast),
        (_("Triggers that capture and guard"), _triggers),
        (_("Record of changes"), _chain),
        (_("Backup and restore"), lambda: _backup(settings)),
    ]
    for name, run in work:
        try:
            yield run()
        except Exception as error:  # noqa: BLE001 - whatever stops a check is its outcome
            yield Check(name, False, f"{type(error).__name__}: {error}"[:300])


def selftest(
    settings: Settings, actor: Actor, tell: Callable[[Check], None] = lambda _check: None
) -> SelftestRun:
    """Run every check, print none: `tell` hears each; the record and its PDF are kept whatever came out."""
    begun, at = time.perf_counter(), utc_now().replace(microsecond=0)
    done = []
    for check in checks(settings):
        tell(check)
        done.append(check)
    failed = sum(check.passed is False for check in done)
    program = f"lims {version('lims')}, Python {platform.python_version()}, {database().engine.dialect.name}"
    words = {True: _("passed"), False: _("failed"), None: _("not run")}
    verdict = (
        _("Every check passed.")
        if not failed
        else _("%(n)s of %(all)s checks failed.", n=failed, all=len(done))
    )
    paper = {
        "title": _("Self-test"),
        "laboratory": laboratory().name,
        "made": show_time(at) + f" · {at:%Y-%m-%d %H:%M:%S} UTC",
        "program": program,
        "verdict": verdict,
        "passed": not failed,
        "heads": [_("Check"), _("Outcome"), _("In detail")],
        "rows": [[check.name, str(words[check.passed]), check.detail] for check in done],
    }
    content = pdf("selftest", paper, made_at=at)
    with transaction(actor, "self-test") as session:
        run = SelftestRun(
            run_at=at,
            seconds=Decimal(f"{time.perf_counter() - begun:.1f}"),
            passed=not failed,
            program=program[:60],
            checks=len(done),
            failed=failed,
            outcome=json.dumps([asdict(check) for check in done], ensure_ascii=False),
            file_id=keep_file(session, content, "application/pdf").id,
        )
        session.add(run)
        session.flush()
    return run
