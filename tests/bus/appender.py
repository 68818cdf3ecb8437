"""One of several processes that append to the same log at once; prints what was acknowledged."""

import asyncio
import json
import sys

from bus.log import Log
from bus.messages import Busy
from bus.mongo import connect
from bus.streams import Streams
from tests.bus.tills import EVENTS, asked, receive, tills

SIDE_BY_SIDE = 64


async def main(url: str, database: str, name: str, count: int) -> None:
    """Decide `count` times: half on tills of its own, half on those that all write."""
    with connect(url) as client:
        log = Log("tills", client[database], EVENTS)
        log.open()
        streams = Streams(log)
        free = asyncio.Semaphore(SIDE_BY_SIDE)

        async def decide(number: int) -> None:
            till = f"shared{number % 6}" if number % 2 else f"{name}{number % 50}"
            # Every tenth command is sent by all the processes.
            id = f"all-{number}" if number % 10 == 1 else f"{name}-{number}"
            async with free:
                while True:
                    try:
                        decided = await streams.decide(
                            tills(till), lambda _: receive(till, 1), asked(till, id=id)
                        )
                    except Busy:  # the others were faster, again and again
                        continue
                    assert decided.commit is not None
                    told = [id, decided.commit.position, decided.repeated]
                    sys.stdout.write(json.dumps(told) + "\n")
                    return

        await asyncio.gather(*map(decide, range(count)))
        await log.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
