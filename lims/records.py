"""Imports every subject's tables, so that metadata, migrations and relations are whole."""

import lims.aftersales.escalation
import lims.aftersales.jobs
import lims.aftersales.photos
import lims.aftersales.retests
import lims.aftersales.service
import lims.aftersales.visits
import lims.audit.kept
import lims.audit.service
import lims.base.auditing.models
import lims.base.denials
import lims.base.files
import lims.base.jobs
import lims.base.laboratory
import lims.base.metadata
import lims.base.numbering
import lims.base.preferences
import lims.base.repeats
import lims.base.sessions
import lims.base.signatures
import lims.calendars.service
import lims.comparison.service
import lims.customers.service
import lims.forecasts.service
import lims.importing.service
import lims.mail.service
import lims.maintenance.service
import lims.materials.service
import lims.mixes.service
import lims.reporting.service
import lims.results.service
import lims.rules.service
import lims.searching.models
import lims.searching.triggers
import lims.sharing.service
import lims.trials.service

#: Read by nobody: it keeps the imports from looking unused.
SUBJECTS_WITH_TABLES = (
    lims.aftersales,
    lims.audit,
    lims.base,
    lims.calendars,
    lims.comparison,
    lims.customers,
    lims.forecasts,
    lims.importing,
    lims.mail,
    lims.maintenance,
    lims.materials,
    lims.mixes,
    lims.reporting,
    lims.results,
    lims.rules,
    lims.searching,
    lims.sharing,
    lims.trials,
)

# Only now are all tables known that the search looks at.
lims.searching.triggers.attach(lims.base.metadata.Model.metadata)
