"""The platform every context stands on: messages, the bus, the event log, streams, readers, views
and timers.

Start with `messages` (what is said), `dispatch` (who answers), `log` (what is kept) and `streams`
(how a decision is made). `readers`, `views` and `timers` are what happens afterwards; `transport`
is what carries it all between contexts; `rest` is how a context shows itself over HTTP.
"""
