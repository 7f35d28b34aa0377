"""Texts of the rules that people read: English here, and kept so that the application can say them in another language."""

from __future__ import annotations


def N_(text: str) -> str:  # noqa: N802 - the usual name of the marker
    """Marks a text for translation; the application translates it where it is shown."""
    return text


class Said(str):
    """A text with values in it. It reads as its English; `text` and `values` are what another language needs."""

    text: str
    values: dict[str, object]

    def __new__(cls, text: str, values: dict[str, object]) -> Said:
        made = super().__new__(
            cls, text % {name: ", ".join(v) if isinstance(v, tuple) else v for name, v in values.items()}
        )
        made.text, made.values = text, values
        return made

    def __getnewargs__(self) -> tuple[str, dict[str, object]]:  # type: ignore[override]
        """It is copied from what it was made of."""
        return self.text, self.values


def said(text: str, **values: object) -> Said:
    """`text` with its places, %(name)s, filled; a per cent sign is written twice. Values may themselves be texts of `said`
    or of `N_`, or a tuple of them, which are said in the other language too."""
    return Said(text, values)
