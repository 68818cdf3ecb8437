"""Catalog: what the shop sells, what it costs, how many there are, and what is kept for whom.

Glossary: a *product* is what a page of the shop describes; its *variants* are what is sold, each
under a *SKU*. Pieces of a SKU are *on hand*; of these some are *reserved* (kept for a while for
somebody who is to pay), some *allocated* (paid for, not yet shipped), the rest *available*. A
*reservation* keeps pieces of several SKUs for one purpose, to be sent by one warehouse or in
*parts* by several; it is held until it is allocated, released or *lapses*. What was shipped and
comes back is *restocked*, or *written off*.

In: `GetCurrency`, `GetOffers`, `FindShort`, `ReserveStock`, `AllocateStock`, `ReleaseStock`,
`ShipStock`, `RestockStock`; for the shop's own people what stands in `commands.py`,
`stock_commands.py` and `queries.py`.
Out: `StockReserved`, `StockDenied`, `ReservationLapsed`, `AllocationFailed`, `StockRanLow`.

Start reading with `reservation.py`, which says what may be promised to whom.
"""
