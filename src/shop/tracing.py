"""Whether traces are recorded: where OpenTelemetry's own `OTEL_*` variables say where to send them.
Where they do not, nothing of it is even loaded."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from importlib.util import find_spec

import structlog

from shop.settings import BadSettings, Settings

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

log = structlog.get_logger(__name__)


def start(settings: Settings) -> Callable[[], Awaitable[None]] | None:
    """Record this process, if that is wanted; returns what sends the last spans at its end. Raises
    `BadSettings` where it is asked for and cannot be."""
    if not wanted(settings):
        return None
    from shop.spans import recording  # which takes a while to load: only where it is used

    return recording()


def wanted(settings: Settings) -> bool:
    """Whether to record traces; raises `BadSettings`."""
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    asked = settings.tracing == "on" or any(map(os.environ.get, ENDPOINTS))
    if settings.tracing == "off" or disabled or not asked:
        return False
    if find_spec("opentelemetry") and find_spec("opentelemetry.exporter"):
        return True
    if settings.tracing == "on":
        raise BadSettings(
            "SHOP_TRACING: `on` needs more packages: python -m pip install 'storefold[tracing]'"
        )
    log.warning("tracing.packages_missing", install="storefold[tracing]")
    return False
