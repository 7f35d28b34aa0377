"""Ages across changes of the clock: subtracted as instants, never as wall clocks."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from lims.standards.specimens import age_tolerance
from tests.faults.conftest import Figures
from tests.faults.test_locks_and_races import Size

#: Both hemispheres, half an hour (Lord Howe), none (Shanghai), and one that moved for good (Apia).
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Shanghai", "Pacific/Apia")


def test_age_of_a_specimen_is_exact_across_changes_of_the_clock(figures: Figures, size: Size) -> None:
    pairs = size(4_000, 100_000)
    wrong = crossed = 0
    for name in ZONES:
        zone, chance = ZoneInfo(name), random.Random(name)
        for _number in range(pairs):
            cast = datetime(2009, 1, 1, tzinfo=UTC) + timedelta(seconds=chance.randrange(15 * 365 * 86400))
            real = timedelta(seconds=chance.randrange(1, 60 * 86400))
            here, there = cast.astimezone(zone), (cast + real).astimezone(zone)
            crossed += here.utcoffset() != there.utcoffset()
            hours = age_tolerance("gbt50081-2019", 28, here, there).age_hours
            wrong += hours * 3600 != Decimal(int(real.total_seconds()))
    figures.tell("pairs across a change of the clock", crossed)
    assert crossed > pairs // 10
    figures.equal(f"wrong of {pairs} pairs x {len(ZONES)} zones", wrong, 0)
