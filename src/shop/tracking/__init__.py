"""An order as it is watched: a stream of what happens to it, and a page for its buyer.

Glossary: a *watch* hears, once in this process, all that happens to one order and its deliveries;
a *stream* tells one listener of it, from the *place* at which they left off; a *link* opens the
page of one order, for a while, to whoever has it.
"""
