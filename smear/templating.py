"""Jinja2 templates of a package, rendered as texts that need no other file; but in Markdown every text is escaped."""

import base64
from functools import cache
from typing import TYPE_CHECKING

from smear import RESEARCH_USE_ONLY, __version__

if TYPE_CHECKING:
    from jinja2 import Environment


def render(package: str, template: str, **values: object) -> str:
    """Return `template` in the folder `templates` of `package`; every page is given the notice on research use."""
    found = _environment(package).get_template(template)
    return found.render(research_use_only=RESEARCH_USE_ONLY, version=__version__, **values)


@cache
def _environment(package: str) -> "Environment":
    import jinja2  # here: what only reads a picture writes no page

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        # All but Markdown, also SVG: what is not listed here is escaped.
        autoescape=jinja2.select_autoescape(enabled_extensions=(), disabled_extensions=("md",), default=True),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["data_uri"] = _data_uri
    environment.filters["css_string"] = _css_string
    return environment


def _data_uri(data: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def _css_string(text: str) -> str:
    """Return `text` as the inside of a string in CSS, where escapes of HTML mean nothing."""
    return "".join(c if c.isascii() and c.isalnum() else f"\\{ord(c):x} " for c in text)
