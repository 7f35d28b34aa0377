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
EQUIPMENT = ("presses", "scales", "moulds", "calibrations", "press-mappings", "press-files", "press-rows")
FORECASTS = ("forecasts", "forecast-models")
CUSTOMERS = ("customers", "sites", "usage-cards")
AFTERSALES = ("visits", "complaints", "retests", "seminars", "surveys", "advice-cards")
SHARING = ("share-links", "share-answers")
PAPERS = ("certificates", "checkpoints", "import-runs")
#: Confirmations and own editions of rules: the quality manager's and the administrator's.
RULES = ("rule-signoffs", "rule-editions")
#: Pages that are not records.
PAGES = ("home", "search", "profile", "rules", "api-description", "help", "preferences", "jobs")
ADMINISTRATION = ("users", "laboratory")
#: A person's own account and choices.
OWN = ("profile", "preferences", "jobs")

LABORATORY = (*MATERIALS, *MIXES, *TRIALS, *RESULTS, *EQUIPMENT, *FORECASTS)
EVERYTHING = (*LABORATORY, *RULES, *CUSTOMERS, *AFTERSALES, *SHARING, *PAPERS, *PAGES, *ADMINISTRATION)

Grant = tuple[str, str]


def _grants(permission: str, names: Iterable[str]) -> set[Grant]:
    return {(f"can_{permission}", name) for name in names}


#: role -> (permission, name) pairs.
ROLES: dict[str, frozenset[Grant]] = {
    ADMINISTRATOR: frozenset(
        _grants("read", EVERYTHING)
        | _grants("write", EVERYTHING)
        | _grants("verify", ["breaks"])
        | _grants("release", ["breaks"])
        | _grants("oversee", ["jobs", "share-links"])
    ),
    MANAGER: frozenset(
        _grants("read", EVERYTHING)
        | _grants("write", (*LABORATORY, *RULES, *CUSTOMERS, *AFTERSALES, *SHARING, *OWN, "rules"))
        | _grants("verify", ["breaks"])
        | _grants("release", ["breaks"])
        | _grants("oversee", ["jobs", "share-links"])
    ),
    TECHNICIAN: frozenset(
        _grants("read", (*LABORATORY, "customers", "sites", "usage-cards", "import-runs", *PAGES))
        | _grants("write", (*MATERIALS, *MIXES, *TRIALS, *RESULTS, *EQUIPMENT, *OWN, "rules"))
        | _grants("verify", ["breaks"])
    ),
    SALES: frozenset(
        _grants(
            "read",
            (*MATERIALS, *MIXES, "trials", "batches", *FORECASTS, *CUSTOMERS, *AFTERSALES, *SHARING, *PAGES),
        )
        | _grants("write", (*CUSTOMERS, *SHARING, "visits", "surveys", *OWN))
    ),
    SERVICE: frozenset(
        _grants("read", (*LABORATORY, *CUSTOMERS, *AFTERSALES, *PAGES))
        | _grants("write", (*CUSTOMERS, *AFTERSALES, *OWN))
    ),
    AUDITOR: frozenset(
        _grants("read", (*LABORATORY, *RULES, *CUSTOMERS, *AFTERSALES, *SHARING, *PAPERS, *PAGES))
        | _grants("write", OWN)
    ),
}
