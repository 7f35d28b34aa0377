"""How templates are read and compiled: without their indentation, and once a language with the fixed words in it."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask
from flask.templating import Environment
from flask_babel import get_translations
from jinja2 import Template, nodes
from jinja2.environment import create_cache
from jinja2.ext import Extension
from jinja2.runtime import Context
from jinja2.visitor import NodeTransformer

from lims.base.words import spoken_locale

#: Blanks that begin a line. In HTML a line's end and a line's end with blanks are the same, outside of <pre>.
_INDENTATION = re.compile(r"\n[ \t]+")
#: Name in a page's variables of the contexts that are made for it.
PAGE = "contexts_of_this_page"


def compile_by_language(app: Flask) -> None:
    """Before the application's templates are first asked for."""
    setattr(app, "jinja_environment", LanguageEnvironment)  # noqa: B010 - a subclass, of this application alone
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.add_extension(Compact)


class Compact(Extension):
    """Takes the indentation out of the source of a page before it is compiled: a tenth of a page that every phone would
    load for nothing. What is filled in stays as it is."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        if name is None or not name.endswith(".html") or "<pre" in source:
            return source
        return _INDENTATION.sub("\n", source)


class PageContext(Context):
    """Is known to the page that it is made for, see `PageTemplate`."""

    def __init__(self, environment: Any, parent: dict[str, Any], *args: Any, **named: Any) -> None:
        super().__init__(environment, parent, *args, **named)
        if PAGE in parent:  # not of a template that is kept, with macros that need no page
            parent[PAGE].append(self)

    def let_go(self) -> None:
        """No more of what was filled in, nor of the macros that were made for it."""
        self.vars, self.parent, self.blocks = {}, {}, {}


class PageTemplate(Template):
    """Lets go of what it was given as soon as the page stands. Its macros know their context and the context knows them, so
    that each page left up to a thousand objects for the collector, which held all pages of the process up for 100 ms when it
    came to them (docs/benchmarks_history.md, 2026-11-29)."""

    def render(self, *args: Any, **named: Any) -> str:
        contexts: list[PageContext] = []
        try:
            return super().render(*args, **named, **{PAGE: contexts})
        finally:
            for one in contexts:
                one.let_go()


class LanguageEnvironment(Environment):
    """Compiles a template once for each language, and puts the translation of each fixed word into it: a page says a
    hundred words, and looking them up took a sixth of its time."""

    template_class = PageTemplate
    context_class = PageContext

    def __init__(self, app: Flask, **options: Any) -> None:
        self._caches: dict[str, Any] = {}
        self._cache_size = 400
        super().__init__(app, **options)

    @property
    def cache(self) -> Any:
        """Compiled templates of the language that is being spoken."""
        language = str(spoken_locale())
        found = self._caches.get(language)
        return self._caches.setdefault(language, create_cache(self._cache_size)) if found is None else found

    @cache.setter
    def cache(self, _made: Any) -> None:
        """Jinja empties its cache by setting a new one."""
        self._caches.clear()

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        translated: nodes.Template = _Translate().visit(tree)
        return translated


class _Translate(NodeTransformer):
    """`_("fixed words")` becomes the words in the language that is being spoken, `_("… %(name)s", name=…)` a template
    of them: what Jinja's gettext would answer (newstyle: words are markup, and % is a sign of format)."""

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802 - Jinja's name
        self.generic_visit(node)
        if (
            not isinstance(node.node, nodes.Name)
            or node.node.name != "_"
            or len(node.args) != 1
            or not isinstance(node.args[0], nodes.Const)
            or not isinstance(node.args[0].value, str)
            or node.dyn_args is not None
            or node.dyn_kwargs is not None
        ):
            return node
        line = node.lineno
        said = get_translations().ugettext(node.args[0].value)
        if not node.kwargs:
            return nodes.MarkSafeIfAutoescape(nodes.Const(said % {}, lineno=line), lineno=line)
        words = nodes.MarkSafeIfAutoescape(nodes.Const(said, lineno=line), lineno=line)
        pairs = [
            nodes.Pair(nodes.Const(given.key, lineno=line), given.value, lineno=line) for given in node.kwargs
        ]
        return nodes.Mod(words, nodes.Dict(pairs, lineno=line), lineno=line)
