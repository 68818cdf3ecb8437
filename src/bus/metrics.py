"""What the platform counts and times, for Prometheus: every instrument, and what it tells.

Instruments are the process's, as its log is: whoever measures imports one and uses it. The labels'
values are names out of the code (contexts, readers, types of events), never what a client sent: so
there are only so many series. With several workers, gauges are put together as `multiprocess_mode`
says; counters and histograms are added up.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()
"""All instruments of this process."""


def from_zero(counter: Counter, *values: str, last: Iterable[str]) -> None:
    """Show a counter before it counts: else its first is an increase for nobody. `last` are the
    values of its last label."""
    for each in last:
        counter.labels(*values, each)


APPEND_SECONDS = Histogram(
    "storefold_append_seconds",
    "Seconds from when a decision is queued until its commit stands in the log, or cannot",
    ["context"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
    registry=REGISTRY,
)

APPEND_BATCH = Histogram(
    "storefold_append_batch_size",
    "Decisions that were written to a log together",
    ["context"],
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
    registry=REGISTRY,
)

APPENDS = Counter(
    "storefold_appends",
    "Decisions brought to an end by a log's writer: committed, conflict (another was faster: it is"
    " made again), repeated (it stood there already), refused (it cannot be stored), failed (the"
    " log could not be written)",
    ["context", "outcome"],
    registry=REGISTRY,
)

UNCERTAIN = Counter(
    "storefold_append_uncertain",
    "Writes to a log whose answer was lost, so that what became of them had to be looked up",
    ["context"],
    registry=REGISTRY,
)

QUEUE = Gauge(
    "storefold_append_queue",
    "Decisions that wait for a log's writer",
    ["context"],
    registry=REGISTRY,
    multiprocess_mode="livesum",
)

EVENTS = Counter(
    "storefold_events",
    "Events committed by this process",
    ["type"],
    registry=REGISTRY,
)

LAG_EVENTS = Gauge(
    "storefold_reader_lag_events",
    "Events of the log that wait for a reader in the partitions held here",
    ["reader"],
    registry=REGISTRY,
    multiprocess_mode="livemax",
)

LAG_SECONDS = Gauge(
    "storefold_reader_lag_seconds",
    "Seconds for which the oldest commit that waits for a reader here has waited",
    ["reader"],
    registry=REGISTRY,
    multiprocess_mode="livemax",
)

PARTITIONS_HELD = Gauge(
    "storefold_reader_partitions",
    "Partitions of a reader that are worked on here; all processes together hold all of them",
    ["reader"],
    registry=REGISTRY,
    multiprocess_mode="livesum",
)

STUCK = Gauge(
    "storefold_reader_stuck",
    "1 while a reader does not get on here: /readyz says why",
    ["reader"],
    registry=REGISTRY,
    multiprocess_mode="livemax",
)

PARKED = Gauge(
    "storefold_reader_parked",
    "Streams that a reader has parked, in the partitions held here, for a person to look at",
    ["reader"],
    registry=REGISTRY,
    multiprocess_mode="livesum",
)

HANDLE_SECONDS = Histogram(
    "storefold_reader_handle_seconds",
    "Seconds that a reader took to handle an event, or to fail at it",
    ["reader"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30),
    registry=REGISTRY,
)

RETRIES = Counter(
    "storefold_reader_retries",
    "Tries of a reader that have to be made again: outage (a server is away) or failure",
    ["reader", "why"],
    registry=REGISTRY,
)

TIMERS = Counter(
    "storefold_timers_fired",
    "Timers that were due: done, refused (there is nothing to do any more), waits (a server is"
    " away), failed",
    ["context", "outcome"],
    registry=REGISTRY,
)

CACHE = Counter(
    "storefold_cache_reads",
    "Entries asked of Redis: hit, miss, away (it was not asked, or did not answer); stale counts"
    " those hits that were too old to be used",
    ["outcome"],
    registry=REGISTRY,
)

BREAKER_OPEN = Gauge(
    "storefold_breaker_open",
    "1 while a server beside the shop is not asked, for it has not answered",
    ["breaker"],
    registry=REGISTRY,
    multiprocess_mode="livemax",
)

REMEMBERED = Counter(
    "storefold_maps_remembered",
    "Answers of maps looked for before a service outside is asked, by where they were: redis,"
    " mongodb, nowhere",
    ["where"],
    registry=REGISTRY,
)

OUTSIDE = Counter(
    "storefold_maps_questions",
    "Questions to a service of maps outside: answered, declined (it does not answer such a"
    " question), failed, unasked (its breaker is open)",
    ["service", "outcome"],
    registry=REGISTRY,
)

STREAMS = Gauge(
    "storefold_event_streams",
    "Streams of server-sent events that somebody listens to",
    registry=REGISTRY,
    multiprocess_mode="livesum",
)

LOOP_LAG = Histogram(
    "storefold_event_loop_lag_seconds",
    "Seconds for which the process was too busy to do what was due, looked at four times a second",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
    registry=REGISTRY,
)
