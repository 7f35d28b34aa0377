"""Addresses: made from a rule when first asked for, since preparing all of them takes half of the start of a command; and
numbers in them that name no record."""

from __future__ import annotations

from collections.abc import Callable

from werkzeug.routing import IntegerConverter, Map, Rule

from lims.base.services import LARGEST_KEY


class KeyConverter(IntegerConverter):
    """`<int:…>` of every rule: a larger number is no address at all, whatever a page or a step would do with it."""

    def __init__(
        self, map: Map, fixed_digits: int = 0, min: int | None = None, max: int | None = None
    ) -> None:
        super().__init__(map, fixed_digits, min, LARGEST_KEY if max is None else max)


class LazyRule(Rule):
    """Matches as every rule does. Werkzeug compiles two functions a rule that write its address, a millisecond each;
    there are twelve hundred rules, and a request writes the addresses of a few."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compiled: Callable[..., tuple[str, str]] | None = None
        compile_now = super()._compile_builder

        def build(rule: Rule, /, **values: object) -> tuple[str, str]:
            nonlocal compiled
            if compiled is None:
                compiled = compile_now(append_unknown)
            return compiled(rule, **values)

        return build
