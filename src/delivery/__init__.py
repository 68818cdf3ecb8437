"""Brings the goods: what that costs, who comes, and where they are; of orders only a reference.

Glossary: a *warehouse* is where goods set out from; a *tariff* says what a way costs; a *delivery*
brings the goods of one reference to one destination, or as a *return* from a door to a warehouse; a
*carrier* is who does that, and is known by the name of their key; a *checkpoint* is what they said
of it, where and when; an *attempt* fails when nobody takes the goods, which are then brought again;
it *ends* when the goods are delivered or back where they came from, or when nobody comes at all.
A *window* is a time of the week in which a warehouse delivers, by its own clocks; a *slot* is a
window on one day, of which somebody *holds* a place until it is *booked* for a delivery. A *zone*
is where a warehouse delivers, with a tariff and windows of its own if it has them.

In: `QuoteDelivery`, `HoldSlot`, `FreeSlot`, `ScheduleDelivery`, `SchedulePickup`, `CancelDelivery`,
`GetDelivery`, `AwaitDelivery` (see `contract`), and from carriers and the shop's own people
`RecordCheckpoint`, `AssignDelivery`, `RescheduleDelivery`, `AddWarehouse`, `ListDeliveries`,
`ListWarehouses` (see `commands`), `DrawZone`, `EraseZone`, `ListZones` (see `zone_commands`),
`PlanDay` (see `plan`), and what is set of windows and asked of slots (see `slot_commands`). Asks
`maps.Locate`, `maps.Measure`, `maps.MeasureMatrix` and `maps.Directions`.
Out: `DeliveryScheduled`, `DeliveryAssigned`, `DeliveryPickedUp`, `DeliveryAttemptFailed`,
`DeliveryRescheduled`, `DeliveryDelivered`, `DeliveryReturned`, `DeliveryCancelled`.
"""
