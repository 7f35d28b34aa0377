"""REST of confirmations and own editions."""

from __future__ import annotations

from lims.base.api import RecordApi
from lims.rules.views import RuleEditionView, RuleSignoffView

COMMON = ("created_at", "created_by", "changed_at", "changed_by", "retired_at")


class RuleSignoffApi(RecordApi):
    service = RuleSignoffView.service
    fields = ("id", "version", "rule_id", "edition", "document", "checked_on", "note", *COMMON)


class RuleEditionApi(RecordApi):
    service = RuleEditionView.service
    fields = ("id", "version", "rule_id", "number", "settings", "reason", "effective_on", *COMMON)


APIS = (RuleSignoffApi, RuleEditionApi)
