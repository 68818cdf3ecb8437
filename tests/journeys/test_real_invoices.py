"""A week of a real wholesaler, as a shop would bring it in: prices first, then orders."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.shop.commands import House

WEEK = Path(__file__).parents[3] / "shared" / "data" / "online-retail" / "first-week.csv.gz"

LONDON = (
    *("--name", "London", "--road", "Old Street", "--house-number", "1"),
    *("--district", "London", "--postcode", "EC1V 9HL", "--country", "GB"),
)


@pytest.mark.long
@pytest.mark.skipif(not WEEK.exists(), reason="the real invoices are not on this machine")
def test_a_real_week_is_replayed_and_its_revenue_agrees_to_the_penny(tmp_path: Path) -> None:
    house = House(tmp_path / "house", SHOP_CURRENCY="GBP")
    columns = "sku=StockCode,name=Description,price=UnitPrice"
    said = house.run(
        "catalog", "import", str(WEEK), "--map", columns, "--stock", "100000", "--json", within=120
    )
    assert said.rows()[0]["products_new"] == 2382
    assert house.run("warehouses", "add", "london", *LONDON).code == 0

    first, again = replayed(house), replayed(house)
    assert first["file"] == {"invoices": 905, "lines": 19632, "total": "324956.32"}
    assert first["disagreements"] == []
    assert first["sold"] == first["revenue"] == "324594.26"
    assert (first["placed"], first["confirmed"]) == (717, 717)
    assert (again["placed"], again["already_placed"]) == (0, 717)
    assert again["rows"] == first["rows"]


def replayed(house: House) -> dict[str, Any]:
    ran = house.run("orders", "replay", str(WEEK), "--json", within=120)
    assert ran.code == 0, ran
    told: dict[str, Any] = json.loads(ran.out)
    return told
