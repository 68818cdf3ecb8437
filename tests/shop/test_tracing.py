"""When traces are recorded, what a span tells, and that they cost nothing where nobody wants
them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from bus import tracing as traces
from bus.envelope import Envelope, sealed
from bus.messages import Busy, Refused
from bus.tracing import carried
from bus.transport import InProcess
from shop import tracing
from shop.settings import BadSettings, Settings
from tests.bus.tills import Balance

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def settings(value: str) -> Settings:
    return Settings.model_validate({"tracing": value})


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*tracing.ENDPOINTS, "OTEL_SDK_DISABLED"):
        monkeypatch.delenv(name, raising=False)


def test_it_is_wanted_where_there_is_somewhere_to_send_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not tracing.wanted(settings("auto"))
    assert tracing.wanted(settings("on"))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    assert tracing.wanted(settings("auto"))
    assert not tracing.wanted(settings("off"))
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert not tracing.wanted(settings("auto"))


def test_without_its_packages_whoever_asks_for_it_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tracing, "find_spec", lambda name: None)
    with pytest.raises(BadSettings, match=r"SHOP_TRACING: .*storefold\[tracing\]"):
        tracing.wanted(settings("on"))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    assert not tracing.wanted(settings("auto")), "others on the machine may have it"


_ASSEMBLES = """
import sys
from shop.settings import Settings
from shop.serving import served
served(Settings(mongodb_url="mongodb://127.0.0.1:1", redis_url="redis://127.0.0.1:1"))
# (The Redis client loads what there is of OpenTelemetry's metrics; that is its own affair.)
print(*(name for name in sys.modules if name.startswith(("opentelemetry.exporter", "shop.spans"))))
"""


def test_where_nobody_wants_it_nothing_of_it_is_loaded(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ASSEMBLES], capture_output=True, text=True, cwd=tmp_path
    )
    assert (done.stdout.strip(), done.returncode) == ("", 0), done.stderr


def answering(failure: BaseException | None = None) -> InProcess:
    """A transport at whose end is an answer, or none."""

    async def handle(_: Balance, envelope: Envelope[Balance]) -> int:
        seen.append(envelope)
        headers.append(dict(carried()))
        if failure:
            raise failure
        return 5

    seen.clear()
    headers.clear()
    transport = InProcess()
    transport.serve(Balance, handle)
    return transport


seen: list[Envelope[Balance]] = []
headers: list[dict[str, str]] = []


def only(exporter: InMemorySpanExporter) -> ReadableSpan:
    (span,) = exporter.get_finished_spans()
    return span


async def test_a_message_is_a_span_and_what_follows_hangs_on_it(
    exporter: InMemorySpanExporter,
) -> None:
    assert await answering().request(sealed(Balance(till="a"), traceparent=PARENT)) == 5
    span = only(exporter)
    assert (span.name, span.kind, span.status.is_unset) == (
        "tills.Balance",
        SpanKind.INTERNAL,
        True,
    )
    assert span.parent
    assert f"{span.parent.span_id:016x}" == PARENT.split("-")[2]
    own = f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-01"
    assert PARENT.split("-")[1] in own
    assert seen[0].traceparent == own
    assert headers == [{"traceparent": own}], "whoever is called from there"
    assert carried() == {}, "and from nowhere else"


async def test_a_message_from_nowhere_begins_a_trace(exporter: InMemorySpanExporter) -> None:
    await answering().request(sealed(Balance(till="a")))
    assert only(exporter).parent is None


@pytest.mark.parametrize(
    ("failure", "facts", "ok"),
    [
        (Refused("too_late", "canary"), {"storefold.refused": "too_late"}, True),
        (Busy("canary"), {"storefold.refused": "busy"}, True),
        (ValueError("canary"), {"error.type": "ValueError"}, False),
    ],
)
async def test_a_span_tells_how_it_ended_and_no_more(
    exporter: InMemorySpanExporter, failure: Exception, facts: dict[str, str], ok: bool
) -> None:
    with pytest.raises(type(failure)):
        await answering(failure).request(sealed(Balance(till="canary")))
    span = only(exporter)
    assert (dict(span.attributes or {}), span.status.is_ok or span.status.is_unset) == (facts, ok)
    assert "canary" not in span.to_json()


async def test_unrecorded_a_message_carries_its_place_on_as_it_is() -> None:
    assert traces.recorder() is None
    await answering().request(sealed(Balance(till="a"), traceparent=PARENT))
    assert (seen[0].traceparent, headers) == (PARENT, [{"traceparent": PARENT}])
