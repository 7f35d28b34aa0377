"""What each screen is for, how it is used, and what is good to know. Texts for people, nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flask_babel import lazy_gettext as _l


@dataclass(frozen=True, slots=True)
class Topic:
    """One help page. `screens` are the records or pages it is for."""

    name: str
    title: Any
    purpose: Any
    steps: tuple[Any, ...]
    notes: tuple[Any, ...] = ()
    screens: tuple[str, ...] = field(default=())


TOPICS = (
    Topic(
        "start",
        _l("Finding your way"),
        _l("The menu is ordered by job; it shows only what your role may see."),
        (
            _l(
                "Press / anywhere and type a few letters of a code or a name; scanning a label works the same way."
            ),
            _l("In a list: j and k move, Enter opens, n makes a new entry, e edits, ? shows all keys."),
            _l(
                "The two buttons beside a list's filters choose its columns and keep your filters under a name."
            ),
            _l("Tick rows to take several out of use at once; Undo stands in the message that follows."),
        ),
        (_l("Nothing is ever deleted: what is out of use stays readable and can be taken back."),),
        ("home", "search", "preferences"),
    ),
    Topic(
        "press",
        _l("Entering breaks"),
        _l("A set of three in the time it takes to write it on paper."),
        (
            _l("Scan the label or choose the set from the due list."),
            _l("Type the three loads in kN, Enter after each; the strength shows while you type."),
            _l("Check the time, the press and your name, then save. The next set is one key away."),
            _l("Another person opens the result and verifies it; a manager releases it."),
        ),
        (
            _l(
                "Green means due now within the tolerance of the code, red past it; the word stands beside the colour."
            ),
            _l("A wrong value is corrected with a reason. The old value stays readable."),
            _l(
                "Without a connection, the entry page keeps your loads in the browser and sends them once it is back."
            ),
        ),
        (
            "breaks",
            "set-results",
            "specimen-sets",
            "specimens",
            "press-mappings",
            "press-files",
            "press-rows",
        ),
    ),
    Topic(
        "batches",
        _l("Trials and batches"),
        _l("A trial says why something is cast; each casting of a mix is a batch with its sampling plan."),
        (
            _l("Add the trial: for which customer, region or cement."),
            _l(
                "Register a batch: mix, casting time and volume. The plan for each 50 m³ shows while you type."
            ),
            _l("Print the labels and stick them on the moulds."),
            _l("The sets appear in the due list when their day comes."),
        ),
        (_l("A mix that was cast is frozen; a change of the recipe is a new revision."),),
        ("trials", "batches", "shotcrete-trials", "curing-tanks", "curing-readings"),
    ),
    Topic(
        "mixes",
        _l("Mixes"),
        _l(
            "Masses for one cubic metre, revisions that stay as they were cast, the forecast and the results."
        ),
        (
            _l("Enter the masses; ratios such as water to binder follow by themselves."),
            _l(
                "The page of a mix shows its forecast, every earlier forecast and, when broken, the 28-day result."
            ),
            _l("What changed from one revision to the next stands under “Revisions side by side”."),
        ),
        (_l("The rules page can propose a mix after JGJ 55 and save it here."),),
        ("mix-designs", "mix-revisions", "mix-components"),
    ),
    Topic(
        "forecasts",
        _l("Forecasts of the 28-day strength"),
        _l("What the early breaks and the composition say about 28 days, with an honest interval."),
        (
            _l("A forecast is made by itself whenever a set of breaks is entered."),
            _l(
                "In nine of ten cases the result lies inside the 90 % interval; the quality page proves it month by month."
            ),
            _l("For a new customer without breaks, enter the composition under “New customer's mix”."),
        ),
        (
            _l("Forecasts are kept as they were made and are never changed afterwards."),
            _l("Outside what the history holds, the interval widens and a note says so."),
        ),
        ("forecasts", "forecast-models", "forecast-quality", "new-customer"),
    ),
    Topic(
        "materials",
        _l("Materials"),
        _l("Cements and their lots, pits and their samples, mineral and chemical admixtures."),
        (
            _l(
                "Enter a cement lot with its mill certificate; its page compares it with the concrete made of it."
            ),
            _l("For sand, type the masses retained on each sieve: modulus, zone and curve follow."),
            _l("A lot older than three months asks for a retest before use."),
        ),
        (),
        (
            "cement-products",
            "cement-lots",
            "cement-tests",
            "aggregate-sources",
            "aggregate-samples",
            "scm-lots",
            "admixture-lots",
            "regions",
        ),
    ),
    Topic(
        "customers",
        _l("Customers and service"),
        _l("Everything about a customer on one page: sites, trials, usage, visits, complaints."),
        (
            _l(
                "Change the stage of a customer as it goes on: prospect, on trial, active, lapsed with the reason. Visits "
                "are planned by it."
            ),
            _l("Write a usage card: cement, dosage, own mixes, storage."),
            _l(
                "Log a visit with findings and advice; a day to call back stands on the first page of the service and in "
                "the calendar of who went there."
            ),
            _l("A complaint starts its clocks when it is saved; the page shows what is due next."),
        ),
        (),
        (
            "customers",
            "sites",
            "usage-cards",
            "visits",
            "complaints",
            "retests",
            "seminars",
            "surveys",
            "advice-cards",
            "contacts",
            "site-stocks",
            "stage-changes",
            "competitors",
            "usage-mixes",
            "scale-checks",
            "usage-tasks",
            "usage-notes",
            "deliveries",
            "visit-plans",
            "photos",
            "complaint-lots",
            "complaint-facts",
            "escalations",
            "objections",
            "attendances",
            "service",
        ),
    ),
    Topic(
        "sharing",
        _l("Sharing with a prospect"),
        _l("A link to a trial that stays true and says nothing it should not."),
        (
            _l("Say what the prospect needs; the customer's own trial and the nearest ones are listed."),
            _l("Tick what goes out, look at the preview, make the link and send it. It is shown once."),
            _l(
                "Prospects answer from the sheet; their answers wait on your first page until you mark them as dealt with."
            ),
            _l("Revoke it at any time; it is dead at the next request."),
        ),
        (
            _l("Names of other customers, prices and unreleased results never go out."),
            _l("The forecast stays as it was sent; the 28-day result appears beside it when it is released."),
        ),
        ("share-links", "share-answers"),
    ),
    Topic(
        "reports",
        _l("Certificates and workbooks"),
        _l("Papers that leave the laboratory, and history that comes in."),
        (
            _l("Issue a certificate from a batch whose results are released."),
            _l("A reissue keeps the old one and says what it replaces."),
            _l("Choose a period on the summary; the workbook carries the same filters, figures and charts."),
            _l("Every list has a button that exports what it shows, to Excel or CSV."),
            _l("Import history from Excel or CSV, if you may release results: it counts as released."),
            _l("The same file twice changes nothing."),
        ),
        (_l("What takes longer runs as a job: leave the page, the result stands under Reports, Jobs."),),
        ("certificates", "import-runs", "imports", "import-mappings", "jobs", "summary"),
    ),
    Topic(
        "comparison",
        _l("Comparing cements and changes"),
        _l(
            "How much binder, admixture and money a cement takes for the same strength, and what a change did."
        ),
        (
            _l(
                "Choose both cements, the strength to reach and filters that keep sand, stone and admixture the same."
            ),
            _l("Read the sentence first: it says when the trials do not tell the cements apart."),
            _l("Keep the comparison; one made after a change at the works stands beside it."),
            _l(
                "Note a change with its day or first lot; its page tests strength, water, admixture and cost by lots."
            ),
        ),
        (
            _l(
                "Only released results count. A kept comparison keeps its batches and prices and never changes."
            ),
            _l("Prices are seen by sales, managers, auditors and administrators only."),
        ),
        ("comparisons", "process-changes", "prices"),
    ),
    Topic(
        "programme",
        _l("Trials for a customer"),
        _l("The customer's own materials, what is cast which week, and the cheapest mix that is sure."),
        (
            _l("Note the customer's sand, stone, mineral and other admixtures as samples and lots."),
            _l("Plan the mixes of a week; what was cast is counted from the batches."),
            _l("Ask for the optimal mix of a grade; cast next what the page proposes."),
        ),
        (_l("A region's sand and stone are sampled again each quarter; the first page reminds."),),
        ("programme-entries", "customer-materials"),
    ),
    Topic(
        "audit",
        _l("Audit"),
        _l("Who entered what, when, and whether anything was altered."),
        (
            _l("From any specimen go to its batch, mix, lots, press and persons, and back."),
            _l(
                "A checkpoint is the signed head of the record of changes; keep it outside to prove later that "
                "nothing was altered."
            ),
        ),
        (
            _l("A finding names its record, a person and a day; its answer and its closing stay with it."),
            _l("Verifying, releasing, amending and retracting ask for the password again."),
        ),
        (
            "checkpoints",
            "findings",
            "signatures",
            "denied-attempts",
            "selftest-runs",
            "audit-log",
            "audit-sample",
            "retention",
            "trace",
        ),
    ),
    Topic(
        "office",
        _l("Keeping the service running"),
        _l("Who works in which region, what is measured, when machines are served, which mail waits."),
        (
            _l(
                "Give each salesperson the regions they work in; they see the customers of these, those of no region yet "
                "and those they look after."
            ),
            _l("Enter the holidays and hours that the clocks of complaints count by."),
            _l("Plan the monthly and quarterly service of the machines and note what was done."),
            _l("Make a calendar address of your own; take it back when a phone is lost."),
        ),
        (_l("Mail waits in the outbox while the server is away, and goes out once."),),
        (
            "region-staff",
            "holidays",
            "checklist-items",
            "maintenance-plans",
            "maintenance-records",
            "outgoing-mails",
            "calendar-feeds",
            "staff-surveys",
        ),
    ),
    Topic(
        "rules",
        _l("Rules and calculators"),
        _l("Each rule of the codes with its clause, its examples and a calculator."),
        (
            _l("Open a rule, type values, and see every step of the calculation."),
            _l("The quality manager confirms a rule against the laboratory's own copy of the code."),
            _l(
                "A laboratory's own limit is a new edition with a reason; results keep the edition they were judged by."
            ),
        ),
        (_l("On a set, “Evaluate under…” shows what other codes would say of the same breaks."),),
        ("rules", "rule-signoffs", "rule-editions"),
    ),
    Topic(
        "setup",
        _l("Setting up"),
        _l("Six steps from an empty installation to the first batch."),
        (
            _l("Name the laboratory and choose its clock, language and codes."),
            _l("Give each person an account of their own with one role."),
            _l("Enter your cement, the press with its calibration, and a mix."),
            _l("Register the first batch: the due list works from then on."),
        ),
        (),
        ("laboratory", "users", "profile", "presses", "scales", "moulds", "calibrations", "api-description"),
    ),
)

BY_NAME = {topic.name: topic for topic in TOPICS}
BY_SCREEN = {screen: topic for topic in TOPICS for screen in topic.screens}


def topic_of(screen: str) -> Topic:
    """The page for a screen; the first one where none is its own."""
    return BY_SCREEN.get(screen, TOPICS[0])
