"""Where addresses are, and how far it is between them by road. Maps keeps nothing.

Glossary: a *place* is an address with its position, exact to the `door` or only to the `city`; a
*leg* is the way by road from one position to another; the *gazetteer* lists the world's towns.

Answers: `maps.Locate`, `maps.Measure`, `maps.MeasureMatrix`, `maps.Directions` (see `contract`).
"""
