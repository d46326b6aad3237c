"""What Prometheus asks for, at `/metrics`: by a token, and in the text format of its own library."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import Response

from web.integrations.snapshot import Snapshot, snapshot
from web.site import site_of


async def metrics(request: Request) -> Response:
    """Return the metrics as they are now."""
    registry = CollectorRegistry()
    registry.register(_Collector(await snapshot(site_of(request))))
    encode, kind = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), headers={"content-type": kind})


@dataclass(frozen=True, eq=False)  # a registry looks it up by identity
class _Collector:
    now: Snapshot

    def collect(self) -> Iterator[Metric]:
        """Yield every metric that has a value now."""
        now = self.now
        yield _gauge("up", "Whether a device runs and answers", now.session is not None)
        yield _gauge("camera_up", "Whether it gets pictures", now.camera_up)
        yield _gauge("disk_free_bytes", "Free on the disk of the records", now.free_bytes)
        if now.board.temperature_c is not None:
            yield _gauge("temperature_celsius", "Of the processor", now.board.temperature_c)
        if now.board.throttled is not None:
            yield _gauge("throttled_bits", "What slows the board down, as vcgencmd has it", now.board.throttled)
        if now.session is not None:
            examined, lost = now.session["fields"], now.session["not_stored"]
            yield CounterMetricFamily("smearscope_fields", "Fields examined since the device was started", examined)
            yield CounterMetricFamily("smearscope_fields_not_stored", "Fields that could not be recorded", lost)
            yield _gauges("fault", "Parts that do not work", "part", dict.fromkeys(now.session["faults"], 1))
            model = {name: str(now.session[name]) for name in ("bundle_sha256", "level", "runtime")}
            yield InfoMetricFamily("smearscope_model", "The models of the newest field", model)
        if now.slide is not None:
            tally = now.slide.tally
            yield _gauge("slide", "Number of the newest slide", now.slide.id)
            yield _gauge("slide_fields", "Distinct fields of the newest slide", tally.total)
            yield _gauge("slide_fields_refused", "Its fields without a label", tally.refused)
            yield _gauges("slide_labels", "Its fields by the class that they resemble", "label", tally.labels)
            yield _gauges("slide_refusals", "Its refusals by code; a field may have several", "code", tally.refusals)
        if now.field is not None:
            seconds = {name: ms / 1000 for name, ms in now.field.timing_ms.items()}
            yield _gauges("field_seconds", "What examining its newest field took, by stage", "stage", seconds)


def _gauge(name: str, help_: str, value: float) -> Metric:
    return GaugeMetricFamily(f"smearscope_{name}", help_, value)


def _gauges(name: str, help_: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"smearscope_{name}", help_, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
