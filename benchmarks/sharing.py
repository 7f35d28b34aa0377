"""`make bench-share`: the trial sheet with 1,000,000 specimens in the database, its weight, and a million guesses."""

from __future__ import annotations

import argparse
import re
import time

import sqlalchemy
from sqlalchemy import select

from benchmarks.laboratory import bench_app, fill, milliseconds
from benchmarks.report import Report
from lims.base.actor import system_actor
from lims.base.database import current_session
from lims.forecasts.models import Forecast
from lims.mixes.models import MixDesign
from lims.sharing.models import ShareLink
from lims.sharing.service import ShareLinkService, hash_token, new_token

SPECIMENS = 1_000_000
GUESSES = 1_000_000
READER = {"User-Agent": "Mozilla/5.0 (Linux; Android 14) Mobile Safari/537.36", "Accept": "text/html"}


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--specimens", type=int, default=SPECIMENS)
    asked = given.parse_args()
    report = Report("the trial sheet")
    report.head()
    with bench_app() as app:
        report.tell(f"filling, {asked.specimens} specimens", fill(app, asked.specimens), " s")
        with app.app_context():
            actor = system_actor("bench")
            mixes = list(current_session().scalars(select(MixDesign.id).order_by(MixDesign.id).limit(6)))
            link, token = ShareLinkService().create(
                {"trial_id": 1, "near_ids": mixes[1:], "name": "bench", "days": 30}, actor
            )
            report.tell("batches behind the sheet", float(len(link.batches)))
            assert current_session().scalar(select(Forecast.id).limit(1)) is None  # filling makes none
        app.appbuilder.sm.limiter.enabled = False  # type: ignore[attr-defined]
        client = app.test_client()

        def look() -> None:
            assert client.get(f"/s/{token}", headers=READER).status_code == 200

        report.at_most(
            "the sheet, server time with its view counted (median)", milliseconds(look, 31), 50, " ms"
        )
        for form in ("json", "csv", "xlsx", "pdf"):
            address = f"/s/{token}/sheet.{form}"
            report.tell(f"... as {form}", milliseconds(lambda address=address: client.get(address), 5), " ms")
        seen: list[str] = []

        def note(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
            if not re.match("BEGIN|PRAGMA", statement):
                seen.append(statement)

        engine = app.extensions["lims.database"].engine
        sqlalchemy.event.listen(engine, "before_cursor_execute", note)
        page = client.get(f"/s/{token}", headers=READER)
        report.tell("... SQL statements", float(len(seen)))
        weight = len(page.get_data())
        for address in set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page.get_data(as_text=True))):
            with client.get(address) as loaded:
                weight += len(loaded.get_data())
        report.at_most("... all that a phone loads", weight / 1000, 300, " kB")
        report.tell("an unknown link", milliseconds(lambda: client.get(f"/s/{new_token()}"), 31), " ms")
        with app.app_context():
            stored = set(current_session().scalars(select(ShareLink.token_sha256)))
            begun = time.perf_counter()
            found = sum(hash_token(new_token()) in stored for _guess in range(GUESSES))
            report.at_most(f"found by {GUESSES} guesses", float(found), 0)
            report.tell("... seconds", time.perf_counter() - begun, " s")
    report.close()


if __name__ == "__main__":
    main()
