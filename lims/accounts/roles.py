"""What each role may do, as data. `lims init` brings the database in line; a laboratory's own roles stay.

Permissions: read, write (add, change, retire), and the named steps of the flow. What is not listed is denied.
"""

from __future__ import annotations

from collections.abc import Iterable

ADMINISTRATOR = "Administrator"
MANAGER = "Manager"
TECHNICIAN = "Technician"
SALES = "Sales"
SERVICE = "Service engineer"
AUDITOR = "Auditor"

#: Records by subject; the names are `record_name` of the models.
MATERIALS = (
    "regions", "cement-products", "cement-lots", "cement-tests",
    "aggregate-sources", "aggregate-samples", "scm-lots", "admixture-lots",
)  # fmt: skip
MIXES = ("mix-designs", "mix-revisions", "mix-components")
TRIALS = (
    "trials", "batches", "shotcrete-trials", "specimen-sets", "specimens", "curing-tanks", "curing-readings",
)  # fmt: skip
RESULTS = ("breaks", "set-results")
EQUIPMENT = (
    "presses", "scales", "moulds", "calibrations", "press-mappings", "press-files", "press-rows", "maintenance-plans",
    "maintenance-records",
)  # fmt: skip
FORECASTS = ("forecasts", "forecast-models")
#: Comparisons of cements, changes at the works, trials for a customer; prices stand apart.
COMPARISON = ("comparisons", "process-changes", "customer-materials", "programme-entries")
#: Money: read by those who sell and decide, never by the bench.
PRICES = ("prices",)
CUSTOMERS = (
    "customers", "contacts", "sites", "site-stocks", "stage-changes", "usage-cards", "usage-mixes", "scale-checks",
    "usage-tasks", "usage-notes",
)  # fmt: skip
#: What is known of a region's market.
MARKET = ("competitors",)
AFTERSALES = (
    "deliveries", "visits", "visit-plans", "photos", "complaints", "complaint-lots", "complaint-facts", "checklist-items",
    "escalations", "retests", "objections", "seminars", "attendances", "surveys", "advice-cards", "service",
)  # fmt: skip
#: What the service promises, who works where, what our own people say, how they are scored: the manager's.
SERVICE_DESK = (
    "service-settings",
    "holidays",
    "region-staff",
    "staff-surveys",
    "service-scores",
    "outgoing-mails",
)  # fmt: skip
SHARING = ("share-links", "share-answers")
PAPERS = ("certificates", "checkpoints", "import-runs")
#: What auditors look at and write.
AUDIT = (
    "findings", "signatures", "denied-attempts", "selftest-runs", "audit-log", "audit-sample", "retention",
)  # fmt: skip
#: The page that takes workbooks in; what a person may import follows from what they may write.
IMPORTS = ("imports", "import-mappings")
#: Confirmations and own editions of rules: the quality manager's and the administrator's.
RULES = ("rule-signoffs", "rule-editions")
#: Pages that are not records.
PAGES = (
    "home", "search", "trace", "profile", "rules", "api-description", "help", "preferences", "jobs", "summary",
    "calendar-feeds",
)  # fmt: skip
ADMINISTRATION = ("users", "laboratory")
#: A person's own account and choices.
OWN = ("profile", "preferences", "jobs", "calendar-feeds")

LABORATORY = (*MATERIALS, *MIXES, *TRIALS, *RESULTS, *EQUIPMENT, *FORECASTS)
EVERYTHING = (
    *LABORATORY, *RULES, *COMPARISON, *PRICES, *CUSTOMERS, *MARKET, *AFTERSALES, *SERVICE_DESK, *SHARING, *PAPERS,
    *IMPORTS, *AUDIT, *PAGES, *ADMINISTRATION,
)  # fmt: skip
#: Customers of every region; who lacks it sees those of the regions they work in (lims/customers/regions.py).
ALL_REGIONS = ("customers",)
#: Taken in by whoever the customer calls; the steps afterwards need `write`.
INTAKE = ("complaints",)
#: Whose data a person's are: taken out for good by few.
PERSONAL = ("customers", "contacts", "share-answers")

Grant = tuple[str, str]


def _grants(permission: str, names: Iterable[str]) -> set[Grant]:
    return {(f"can_{permission}", name) for name in names}


#: role -> (permission, name) pairs.
ROLES: dict[str, frozenset[Grant]] = {
    ADMINISTRATOR: frozenset(
        _grants("read", EVERYTHING)
        | _grants("write", EVERYTHING)
        | _grants("read_all", ALL_REGIONS)
        | _grants("erase", (*PERSONAL, "users"))
        | _grants("take_in", INTAKE)
        | _grants("verify", ["breaks"])
        | _grants("release", ["breaks"])
        | _grants("oversee", ["jobs", "share-links"])
        | _grants("answer", ["findings"])
    ),
    MANAGER: frozenset(
        _grants("read", EVERYTHING)
        | _grants(
            "write",
            (*LABORATORY, *RULES, *CUSTOMERS, *MARKET, *AFTERSALES, *SERVICE_DESK, *SHARING, *IMPORTS),
        )
        | _grants("write", (*COMPARISON, *PRICES, *OWN, "rules", "certificates"))
        | _grants("read_all", ALL_REGIONS)
        | _grants("erase", PERSONAL)
        | _grants("take_in", INTAKE)
        | _grants("verify", ["breaks"])
        | _grants("release", ["breaks"])
        | _grants("oversee", ["jobs", "share-links"])
        | _grants("answer", ["findings"])
    ),
    TECHNICIAN: frozenset(
        _grants(
            "read",
            (
                *LABORATORY,
                "customers",
                "sites",
                "usage-cards",
                "advice-cards",
                "import-runs",
                "findings",
                *IMPORTS,
                *PAGES,
            ),
        )
        | _grants("read_all", ALL_REGIONS)
        | _grants("write", (*MATERIALS, *MIXES, *TRIALS, *RESULTS, *EQUIPMENT, *IMPORTS, *OWN, "rules"))
        | _grants("read", COMPARISON)
        | _grants("write", ("customer-materials", "programme-entries"))
        | _grants("verify", ["breaks"])
    ),
    SALES: frozenset(
        _grants(
            "read",
            (
                *MATERIALS,
                *MIXES,
                "trials",
                "batches",
                *FORECASTS,
                *CUSTOMERS,
                *MARKET,
                *AFTERSALES,
                *SHARING,
                "findings",
                *IMPORTS,
                *PAGES,
            ),
        )
        | _grants(
            "write", (*CUSTOMERS, *MARKET, *SHARING, "visits", "visit-plans", "surveys", *IMPORTS, *OWN)
        )
        | _grants("take_in", INTAKE)
        | _grants("read", (*COMPARISON, *PRICES))
        | _grants("write", ("comparisons", "customer-materials"))
    ),
    SERVICE: frozenset(
        _grants(
            "read",
            (
                *LABORATORY,
                *CUSTOMERS,
                *MARKET,
                *AFTERSALES,
                "service-settings",
                "holidays",
                "findings",
                *IMPORTS,
                *PAGES,
            ),
        )
        | _grants("write", (*CUSTOMERS, *AFTERSALES, *IMPORTS, *OWN))
        | _grants("take_in", INTAKE)
        | _grants("read", COMPARISON)
        | _grants("write", ("comparisons", "customer-materials", "programme-entries"))
        | _grants("read_all", ALL_REGIONS)
    ),
    AUDITOR: frozenset(
        _grants("read", (*LABORATORY, *RULES, *CUSTOMERS, *MARKET, *AFTERSALES, *SERVICE_DESK, *SHARING))
        | _grants("read", (*PAPERS, *AUDIT, "import-mappings", *PAGES, *COMPARISON, *PRICES))
        | _grants("read_all", ALL_REGIONS)
        | _grants("write", ("findings", *OWN))
    ),
}
