"""The mutation campaign in short; `make tamper` does a thousand of each kind."""

from __future__ import annotations

import pytest

from tests.audit.tamper import KINDS, MUTATIONS, campaign, target, write_records

pytestmark = pytest.mark.usefixtures("records_on_both")


def test_every_mutation_is_caught_and_named_and_what_has_no_anchor_is_said() -> None:
    write_records()
    with target() as at:
        counts = campaign(at, each=6)
    assert set(KINDS) <= set(counts) == set(MUTATIONS)
    for kind, count in counts.items():
        assert (kind, count.caught, count.named) == (kind, count.tried, count.tried), count.missed
        assert (kind, count.told) == (kind, count.missed_alone)
    # Whoever rewrites all of it, or cuts the end off, is found by an anchor alone.
    alone = [
        counts[kind] for kind in ("edit and rehash", "truncate", "full rewrite", "clock moved and rehashed")
    ]
    assert [count.caught_alone for count in alone] == [0] * len(alone)


def test_untouched_record_has_no_findings() -> None:
    write_records()
    with target() as at:
        report = at.verified()
        assert report.findings == []
        assert (report.anchored, report.unanchored_entries) == (report.transactions, 0)
        assert report.entries == len(at.entries) > 300
