"""Ordering: the life of an order, from basket to doorstep.

It directs and does none of the work itself: it asks catalog and delivery what a basket costs, then
sends each of the others what is to be done and hears what came of it.

Glossary
    basket       what a buyer wants: SKUs and quantities
    quote        what a basket costs at somebody's door, right now and as promised for a while
    order        a basket that was placed, at the prices of that moment or of its quote
    attempt      one try of the buyer to pay
    client       the web shop that placed the order; it sees its own orders only
    shipment     what one of several warehouses sends of an order, with a delivery of its own
    cancelling   called off, but where the money and the goods are is not certain yet
    return       pieces of a completed order that its buyer sends back (RMA): requested, approved or
                 rejected, received, refunded; it lives in its order's stream
    pickup       the goods of a return are fetched at the buyer's door, by a delivery of their own

In: QuoteBasket, PlaceOrder, PayOrder, CancelOrder, RequestReturn, GetOrder, GetOrderAsOf,
AwaitOrder, FollowOrder, ListOrders, GetHistory, GetReturns, GetPickup; and what the other contexts'
events tell.
Out: to catalog ReserveStock, AllocateStock, ShipStock, ReleaseStock, RestockStock; to payment
GetBalance, AuthorizePayment, CapturePayment, CancelPayment, RefundPayment; to delivery
HoldSlot, FreeSlot, ScheduleDelivery, SchedulePickup, CancelDelivery.
Start reading at `order.py` (what can happen), then `rules.py` (when it may), then `policies.py`
(what follows from what); `returns.py`, `return_rules.py` and `pickups.py` are the same for returns,
`shipments.py` and `shipment_rules.py` for orders that several warehouses send.
"""
