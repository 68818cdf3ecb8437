"""How addresses are told apart, and what is said of one that is on no map."""

from __future__ import annotations

from bus.messages import Address, Refused
from maps import gazetteer
from maps.contract import Place


def door(address: Address) -> Place | None:
    """The door of an address that says where it is."""
    if address.position is None:
        return None
    return Place(position=address.position, precision="door", source="address")


def normalised(address: Address) -> str:
    """An address as it is compared: the same for all who write it with other capitals, accents,
    punctuation or spaces. Its position is no part of it."""
    lines = (
        address.country,
        address.state,
        address.postcode,
        address.district,
        address.sub_district,
        address.road,
    )
    # 12a, 12 a and 12-A are one house; Am Berg and Amberg are two roads.
    house = gazetteer.fold(address.house_number).replace(" ", "")
    return "|".join([*(gazetteer.fold(line or "") for line in lines), house])


def unknown(address: Address) -> Refused:
    """The refusal of an address that is on no map: what was looked for, and what to do."""
    if address.country not in gazetteer.countries():
        message = f"{address.country} is no country's ISO 3166 code: check the address's country"
    else:
        named = (address.district, address.sub_district, address.state)
        towns = " or ".join(repr(name) for name in dict.fromkeys(named) if name)
        message = f"no town of {address.country} is called {towns}: check how it is spelled"
    return Refused(
        "unknown_address",
        f"{message}, or send the address's `position` {{lat, lon}}",
        country=address.country,
        district=address.district,
    )
