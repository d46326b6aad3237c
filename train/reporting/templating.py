"""Jinja2 templates of this package, with escaping on: pages that need no other file."""

import base64
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from smear import RESEARCH_USE_ONLY


def render(template: str, **values: object) -> str:
    """Return the page of `templates`/`template`; every page carries the notice on research use."""
    return _environment().get_template(template).render(research_use_only=RESEARCH_USE_ONLY, **values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("train.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["data_uri"] = _data_uri
    return environment


def _data_uri(data: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"
