"""What a laboratory says about the rules: confirmed against its own copy, and its own editions."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from sqlalchemy import Date, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from lims.base.records import Record


class RuleSignoff(Record):
    """A person confirmed a rule against the laboratory's own licensed copy of the code."""

    __tablename__ = "rule_signoffs"
    record_name = "rule-signoffs"

    rule_id: Mapped[str] = mapped_column(String(60), nullable=False, index=True)
    #: Edition of the register at that time: a new edition is to be confirmed again.
    edition: Mapped[str] = mapped_column(String(40), nullable=False)
    document: Mapped[str] = mapped_column(String(200), nullable=False)
    checked_on: Mapped[date] = mapped_column(Date, nullable=False)
    note: Mapped[str | None] = mapped_column(Text)

    @property
    def title(self) -> str:
        return self.rule_id


class RuleEdition(Record):
    """The laboratory's own values of what a rule leaves open. Never edited: a change is a new edition."""

    __tablename__ = "rule_editions"
    record_name = "rule-editions"

    rule_id: Mapped[str] = mapped_column(String(60), nullable=False)
    number: Mapped[int] = mapped_column(Integer, nullable=False)
    #: JSON: input -> value as text.
    settings: Mapped[str] = mapped_column(Text, nullable=False)
    reason: Mapped[str] = mapped_column(String(400), nullable=False)
    effective_on: Mapped[date] = mapped_column(Date, nullable=False)

    __table_args__ = (UniqueConstraint("rule_id", "number"),)

    @property
    def title(self) -> str:
        return f"{self.rule_id} · {self.number}"

    def values(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.settings)
        return found
