"""`shop serve` and `shop work`: the process that takes requests, and the one that only works."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable

import uvicorn
import uvloop
from starlette.applications import Starlette
from uvicorn.supervisors import Multiprocess

from bus.mongo import connect
from bus.platform import Platform
from shop import logs, tracing
from shop.child import end_with_parent
from shop.leave import Lifespan, announced
from shop.metrics import FOLDER
from shop.protocol import Protocol
from shop.running import assembled
from shop.settings import Settings, load
from shop.vitals import vitals
from shop.web import LAST, application, at_work

DRAIN = int(LAST) + 2
"""Seconds after which requests under way are cut off when the process is told to stop: longer than
it takes to answer them, one way or another."""

UNTAKEN = 128 * 1024
"""Bytes of answers that the system keeps for a connection whose other end does not take them; by
itself it would keep megabytes."""

HANDS = 16
"""Connections that are taken in one turn of the event loop."""


class Taken(OSError):
    """The address cannot be listened on."""


class Server(uvicorn.Server):
    """A uvicorn that tells when it takes requests."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets)
        if self.started and not self.should_exit:
            self._ready()


def end_on_signals() -> None:
    """Have Ctrl-C and a polite kill end this process the ordinary way, so that all that it started
    is stopped properly. (uvicorn sends itself the signal again when it is done.)"""

    def end(number: int, frame: object) -> None:
        raise SystemExit(0)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)


def tune() -> None:
    """Make this process a server: short turns for the writer threads, short looks for garbage."""
    # The threads that append wait for the interpreter while the event loop is busy, by default
    # up to 5 ms a turn and several turns an append.
    sys.setswitchinterval(0.0005)
    # What a shop keeps in memory, it keeps for long: looked through often and in small portions
    # while young, a look takes milliseconds; the whole would take a second, so that is rare.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 5, 1_000)


def listening(host: str, port: int) -> socket.socket:
    """A socket on this address; raises `Taken`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNTAKEN)  # connections inherit it
    try:
        bound.bind((host, port))
        bound.listen(2048)
    except OSError as error:
        bound.close()
        raise Taken(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port"
        ) from None
    bound.set_inheritable(True)
    return bound


def hands(bound: socket.socket) -> list[socket.socket]:
    """The socket several times over. The event loop takes one connection a turn from each: when it
    has much to do its turns are long, and whoever comes would wait at the door for seconds, to be
    told only then that there is no place."""
    return [bound, *(bound.dup() for _ in range(HANDS - 1))]


def address(host: str, bound: socket.socket) -> str:
    """Where a browser finds what listens there."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{bound.getsockname()[1]}"


def reach(settings: Settings) -> None:
    """See that MongoDB is there before anything is built on it; raises `PyMongoError`."""
    with connect(settings.mongodb_url or "") as client:
        client.admin.command("ping")


def serve(
    settings: Settings, bound: socket.socket, workers: int, ready: Callable[[], None]
) -> None:
    """Serve until told to stop."""
    if workers > 1:
        tracing.wanted(settings)  # what is wrong with that is said once, and here
        _serve_many(settings, bound, workers, ready)
        return
    app = served(settings)
    server = Server(_config(app), ready)
    tune()
    server.run(hands(bound))


def worker() -> Starlette:
    """The application of one of several workers, which finds its servers in the environment."""
    end_with_parent()
    settings = load()
    logs.set_up(settings.log_level)
    tune()
    return served(settings)


def served(settings: Settings) -> Starlette:
    """The application of a shop."""
    shop = assembled(settings)
    recorded(settings, shop.platform())
    lifespan = leaving_slowly(settings, shop.platform())
    return application(shop.platform(), shop.doors(), shop.endpoints(), lifespan)


def leaving_slowly(settings: Settings, platform: Platform) -> Lifespan:
    """The lifespan of a process that others send requests to, and ask whether they may."""
    lifespan = at_work(platform, settings.most_at_once)
    return announced(lifespan, platform.readiness, settings.drain_notice)


def recorded(settings: Settings, platform: Platform) -> None:
    """Record traces of this process, if that is wanted, until the platform stops."""
    if (end := tracing.start(settings)) is not None:
        platform.at_stop(end)


def _config(app: Starlette | str, **more: object) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=Protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here depends on who the client says it is
        date_header=True,
        timeout_graceful_shutdown=DRAIN,
        **more,  # type: ignore[arg-type]
    )


def _serve_many(
    settings: Settings, bound: socket.socket, workers: int, ready: Callable[[], None]
) -> None:
    os.environ["SHOP_MONGODB_URL"] = settings.mongodb_url or ""
    os.environ["SHOP_REDIS_URL"] = settings.redis_url or ""
    config = _config("shop.serving:worker", factory=True, workers=workers)
    supervisor = Multiprocess(config, hands(bound))
    host, port = bound.getsockname()[:2]
    watch = threading.Thread(target=_when_ready, args=(host, port, ready), daemon=True)
    watch.start()
    with tempfile.TemporaryDirectory(
        prefix="storefold-metrics-", ignore_cleanup_errors=True
    ) as folder:
        os.environ[FOLDER] = folder
        supervisor.run()


def _when_ready(host: str, port: int, ready: Callable[[], None]) -> None:
    """Tell as soon as a worker is ready, however long that takes."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        try:
            with direct.open(f"http://{host}:{port}/readyz", timeout=2):
                ready()
                return
        except OSError:  # an answer that says it is not, among others
            time.sleep(0.05)


def work(settings: Settings, bound: socket.socket | None, ready: Callable[[], None]) -> None:
    """Run readers and timers until told to stop; on a socket, if there is one, say how it goes."""
    platform: Platform = assembled(settings).platform()
    recorded(settings, platform)
    tune()
    if bound is not None:
        app = Starlette(routes=vitals(platform), lifespan=leaving_slowly(settings, platform))
        Server(_config(app), ready).run([bound])
        return

    async def until_stopped() -> None:
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        await platform.start(work=True)
        ready()
        await stopped.wait()
        await platform.stop()

    uvloop.run(until_stopped())
