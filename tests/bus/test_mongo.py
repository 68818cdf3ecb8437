"""What is told of MongoDB's errors."""

from pymongo.errors import AutoReconnect, BulkWriteError

from bus.mongo import LONGEST_ERROR, told


def test_what_is_told_of_an_insert_is_what_the_server_said_of_it() -> None:
    failed = {"writeErrors": [{"index": 0, "errmsg": "the disk is full"}]}
    unsure = {"writeErrors": [], "writeConcernErrors": [{"errmsg": "no majority in time"}]}
    assert told(BulkWriteError(failed)) == "the disk is full"
    assert told(BulkWriteError(unsure)) == "no majority in time"


def test_what_the_driver_adds_for_its_developers_is_left_out() -> None:
    assert told(AutoReconnect("a:1: closed (configured timeouts: 3 s)")) == "a:1: closed"
    assert len(told(AutoReconnect("x" * 1000))) <= LONGEST_ERROR + len(" ...")
