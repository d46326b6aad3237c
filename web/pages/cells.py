"""The cells of a slide as a gallery, to classify by keys and clicks."""

from starlette.requests import Request
from starlette.responses import Response

from web.api import asked
from web.rendering import page

_A_PAGE = 50  # cells


async def cells(request: Request) -> Response:
    """Show a page of the cells that may be counted, by the class and in the order of the address."""
    about, query = [("slide", request.path_params["slide"])], request.query_params
    asked_for = [(name, text) for name, text in query.multi_items() if text]
    found = await asked(request, "cells list", [*about, ("limit", str(_A_PAGE)), *asked_for])
    slide = await asked(request, "slides show", [*about, ("limit", "0")])
    classes = await asked(request, "cells classes")
    last = found["cells"][-1]["name"] if len(found["cells"]) == _A_PAGE else ""
    onward = [(name, text) for name, text in asked_for if name != "after"] + [("after", last)]
    return page(
        request, "cells.html", cells=found["cells"], slide=slide, classes=classes["classes"], target=classes["target"],
        query=dict(query), onward=onward if last else [],
    )  # fmt: skip
