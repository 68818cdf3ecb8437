"""How many decimal places the world's currencies have."""

# ISO 4217:2015, table A.1, "minor unit": the currencies that do not have two decimal places.
_CURRENCIES_BY_PLACES = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_PLACES = {
    currency: places
    for places, currencies in _CURRENCIES_BY_PLACES.items()
    for currency in currencies.split()
}


def places_of(currency: str) -> int:
    """How many decimal places a currency has (ISO 4217)."""
    return _PLACES.get(currency, 2)
