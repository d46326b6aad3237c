"""The quality control of the day, and its charts."""

from starlette.requests import Request
from starlette.responses import Response

from device.actions.base import Context
from device.actions.qc import ChartOf, chart
from device.quality_control.chart import svg
from device.quality_control.levey_jennings import Chart
from device.quality_control.measurements import MEASURES
from device.store import Store
from web.api import asked
from web.rendering import page
from web.site import site_of


async def qc(request: Request) -> Response:
    """Show whether the device is cleared, what was measured, and one chart."""
    measured = await site_of(request).read(lambda store: [each for each in MEASURES if store.qc(each)])
    measure = request.query_params.get("measure") or next(iter(measured), "")
    points = (await _chart(request, measure)).points if measure else ()
    rows = [(each.measured, each.kind) for each in reversed(points)]
    state = await asked(request, "qc status")
    about = {name: MEASURES[name].title for name in measured}
    return page(request, "qc.html", state=state, measures=about, measure=measure, rows=rows)


async def qc_chart(request: Request) -> Response:
    """Return the chart of a measure as a picture."""
    drawn = await _chart(request, request.query_params.get("measure", ""))
    return Response(svg(drawn), media_type="image/svg+xml")


async def _chart(request: Request, measure: str) -> Chart:
    site = site_of(request)

    def look(store: Store) -> Chart:
        return chart(Context(store, site.settings), ChartOf(measure=measure))

    return await site.read(look)
