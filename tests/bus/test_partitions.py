"""Which process does which part of the work."""

from uuid import uuid4

from bus.partitions import PARTITIONS, partition_of, partition_of_stream


def test_all_that_belongs_to_an_order_is_worked_on_in_one_process() -> None:
    for _ in range(50):
        id = uuid4().hex
        streams = (f"order-ord_{id}", f"reservation-ord_{id}", f"payment-pay_{id}")
        parts = {*map(partition_of_stream, streams), partition_of(f"dlv_{id}")}
        assert parts == {partition_of(f"ord_{id}")}


def test_the_work_is_spread_over_all_partitions() -> None:
    assert {partition_of(f"ord_{number}") for number in range(200)} == set(range(PARTITIONS))
    assert partition_of("ord_1") == 7  # positions are stored by it: it must never change
