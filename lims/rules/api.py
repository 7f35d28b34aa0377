"""REST of confirmations and own editions."""

from __future__ import annotations

from lims.base.api import WHO_AND_WHEN, RecordApi
from lims.rules.views import RuleEditionView, RuleSignoffView


class RuleSignoffApi(RecordApi):
    service = RuleSignoffView.service
    fields = ("id", "version", "rule_id", "edition", "document", "checked_on", "note", *WHO_AND_WHEN)


class RuleEditionApi(RecordApi):
    service = RuleEditionView.service
    fields = ("id", "version", "rule_id", "number", "settings", "reason", "effective_on", *WHO_AND_WHEN)


APIS = (RuleSignoffApi, RuleEditionApi)
