"""Where addresses are, and how far it is between them by road. Maps has no events.

Glossary: a *place* is an address with its position, exact to the `door`, the `road` or the `city`;
a *leg* is how far it is by road from one position to another, a *way* has its course besides; a
*geocoder* knows places, a *router* legs and ways; the *gazetteer* lists the world's towns. The
built-in ones need no network, and stand in for those that do.

Answers: `maps.Locate`, `maps.Measure`, `maps.MeasureMatrix`, `maps.Directions` (see `contract`).
"""
