"""What the tracking page says of an order, and how it draws its map."""

from __future__ import annotations

import re
from datetime import timedelta
from math import hypot
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.contract import Scan
from delivery.contract import Status as DeliveryStatus
from ordering.contract import Status as OrderStatus
from shop.tracking import drawing
from shop.tracking.drawing import draw, in_words, length
from shop.tracking.page import Looks, parts, sorry, whole
from shop.tracking.place import Place, read
from shop.tracking.progress import CALLED_OFF, OF_DELIVERIES, OF_ORDERS, Scene, Snapshot, progress
from tests.shop.clients import DOOR
from tests.shop.tracked import NOON, ROUTE, delivery, moving, order, page_of, snapshot


@pytest.mark.parametrize("status", get_args(OrderStatus))
def test_every_state_of_an_order_has_words(status: str) -> None:
    shown = progress(snapshot(order(status)))
    assert shown.words == OF_ORDERS[status]
    assert bool(shown.parcels) == (status not in CALLED_OFF)


@pytest.mark.parametrize("status", get_args(DeliveryStatus))
def test_every_state_of_a_delivery_has_words(status: Any) -> None:
    scan = ((status, -5),) if status in get_args(Scan) else ()
    shown = progress(snapshot(order(), delivery(status, *scan)))
    assert shown.words == OF_DELIVERIES[status]
    steps = shown.parcels[0].steps
    assert steps[0].label == "Ordered"
    assert [step.state for step in steps].count("now") == (steps[-1].state == "ahead")


def test_the_steps_are_what_happened_and_what_is_to_come() -> None:
    told = delivery("en_route", ("picked_up", -30), ("en_route", -20), ("en_route", -5))
    (parcel,) = progress(snapshot(order(), told)).parcels
    assert [(step.label, step.state) for step in parcel.steps] == [
        ("Ordered", "done"),
        ("Picked up", "done"),
        ("On its way", "now"),
        ("Delivered", "ahead"),
    ]
    assert parcel.steps[2].at == NOON - timedelta(minutes=20), "when it first was"


def test_an_attempt_that_failed_is_a_step_and_the_next_is_planned() -> None:
    told = delivery("rescheduled", ("en_route", -30), ("attempt_failed", -20))
    (parcel,) = progress(snapshot(order(), told)).parcels
    assert [step.label for step in parcel.steps] == [
        "Ordered", "On its way", "Nobody could take it", "We are coming again", "Delivered",
    ]  # fmt: skip


def test_a_van_that_should_be_there_and_was_not_seen_is_late_but_at_the_door_it_is_not() -> None:
    known = moving()
    del known["eta"]
    assert "Later than expected" in page_of(order(), known)
    near = page_of(order(), {**known, "distance_remaining_m": 120})
    assert "any moment now" in near
    assert "Later" not in near


def in_two(first: dict[str, Any], second: dict[str, Any]) -> Snapshot:
    shown = snapshot(order(), first, {**second, "delivery_id": "dlv_2"})
    return shown._replace(state=shown.state._replace(deliveries=("dlv_1", "dlv_2")))


def test_an_order_of_several_parcels_tells_each_and_all() -> None:
    told = progress(in_two(moving(), delivery("scheduled")))
    assert told.words.headline == "On its way"
    assert "2 parcels" in told.words.detail
    assert [parcel.words.headline for parcel in told.parcels] == ["On its way", "Getting ready"]
    found = parts(told, Looks())
    assert {"where-0", "where-1", "steps-1", "facts-1"} <= set(found.parts)
    html = bytes(whole(found, Looks(), live=True).body).decode()
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", html) == [
        "Parcel 1: On its way",
        "Parcel 2: Getting ready",
    ]
    assert len(re.findall(r' id="([^"]*)"', html)) == len(set(re.findall(r' id="([^"]*)"', html)))


@pytest.mark.parametrize(
    ("second", "headline", "mood"),
    [
        ("assigned", "Getting ready", "waiting"),
        ("rescheduled", "We are coming again", "waiting"),
        ("en_route", "On its way", "moving"),
        ("attempt_failed", "We missed you", "trouble"),
        ("returned_to_sender", "Sent back", "trouble"),
        ("delivered", "Delivered", "done"),
    ],
)
def test_of_several_parcels_it_tells_what_is_still_to_come_or_went_wrong(
    second: str, headline: str, mood: str
) -> None:
    words = progress(in_two(delivery("delivered"), delivery(second))).words
    assert (words.headline, words.mood) == (headline, mood)
    assert ("1 of them delivered" in words.detail) == (second != "delivered")


def test_nothing_is_told_of_the_price_or_the_buyer_and_no_more_of_the_address_than_needed() -> None:
    for html in (page_of(order(), moving()), page_of(order("completed"), delivery("delivered"))):
        for secret in ("buyer-77", "987.65", "98765", "EUR", "pay_1", "A mug"):
            assert secret not in html
        assert f"{DOOR['road']}, {DOOR['district']}" in html
        assert DOOR["postcode"] not in html


def test_what_a_carrier_writes_is_text_and_nothing_else() -> None:
    evil = '<script>alert(1)</script><img src=x onerror="alert(2)">'
    told = delivery("delivered", ("delivered", -1), carrier=evil, tracking_number=evil)
    told["checkpoints"][-1] |= {"note": evil, "proof": {"name": evil, "note": evil}}
    html = page_of(order(), told)
    assert html.count("<script>") == 1, "its own"
    assert "<img" not in html
    assert html.count("&lt;script&gt;") >= 4


def test_the_page_may_run_its_own_script_and_nothing_else() -> None:
    rules = dict(
        rule.partition(" ")[::2] for rule in Looks().headers["Content-Security-Policy"].split("; ")
    )
    assert rules["default-src"] == "'none'"
    assert re.fullmatch(r"'sha256-[\w+/]{43}='", rules["script-src"])
    assert re.fullmatch(r"'sha256-[\w+/]{43}='", rules["style-src"])
    assert (rules["img-src"], rules["connect-src"]) == ("data:", "'self'")
    assert rules["frame-ancestors"] == "'none'"
    assert Looks().headers["X-Frame-Options"] == "DENY"
    embedded = Looks(framed_by="https://shop.example https://www.shop.example").headers
    assert embedded["Content-Security-Policy"].endswith(
        "frame-ancestors https://shop.example https://www.shop.example"
    )
    assert "X-Frame-Options" not in embedded


def test_a_page_is_kept_nowhere_and_its_address_is_told_to_nobody() -> None:
    for answer in (sorry(404, Looks()), sorry(410, Looks())):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "noindex" in answer.headers["x-robots-tag"]
    html = page_of(order(), moving())
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", html)


def test_with_tiles_the_page_asks_their_host_too_and_says_whose_they_are() -> None:
    looks = Looks(
        tiles="https://tiles.example:8443/{z}/{x}/{y}.png",
        attribution='© <a href="https://osm.example/c">People</a><script>x</script>',
    )
    assert "img-src data: https://tiles.example:8443;" in looks.headers["Content-Security-Policy"]
    html = page_of(order(), moving(), looks=looks)
    tiles = re.findall(r'<image href="https://tiles.example:8443/(\d+)/(\d+)/(\d+).png"', html)
    assert 4 <= len(tiles) <= 40
    assert len(set(tiles)) == len(tiles)
    assert "grid" not in re.findall(r'class="(\w+)"', html)
    assert '<a href="https://osm.example/c" rel="noreferrer noopener">People</a>' in html
    assert html.count("<script>") == 1


# --- the map


def scene(**fields: Any) -> Scene:
    known: dict[str, Any] = {
        "van": (9.52, 47.14), "heading": 0.0, "trail": (), "route": tuple(map(tuple, ROUTE)),
        "door": (9.51, 47.1674), "distance_m": 4321,
    }  # fmt: skip
    return Scene(**{**known, **fields})


def box(svg: str) -> tuple[float, float, float, float]:
    found = re.search(r'viewBox="([-\d.]+) ([-\d.]+) ([\d.]+) ([\d.]+)"', svg)
    assert found
    left, top, width, height = map(float, found.groups())
    return left, top, width, height


def place_of(svg: str, sign: str) -> tuple[float, float]:
    found = re.search(rf'class="{sign}"[^>]*transform="translate\(([-\d.]+) ([-\d.]+)\)', svg)
    assert found, svg
    return float(found[1]), float(found[2])


@given(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2), st.floats(-70, 70), st.floats(-179, 179))
def test_the_van_and_the_door_are_always_on_the_map_and_as_far_apart_as_they_are(
    lat: float, lon: float, door_lat: float, door_lon: float
) -> None:
    door, van = (door_lon, door_lat), (door_lon + lon, door_lat + lat)
    svg = draw(scene(van=van, door=door, route=()), "m")
    left, top, width, height = box(svg)
    for sign in ("van", "door"):
        x, y = place_of(svg, sign)
        assert left < x < left + width
        assert top < y < top + height
    assert width >= drawing.LEAST_M - 0.1
    (x, y), (door_x, door_y) = place_of(svg, "van"), place_of(svg, "door")
    assert (door_x, door_y) == (0, 0)
    assert (y < 0) == (lat > 0) or abs(lat) < 1e-5, "north is up"
    if abs(door_lat) < 50 and hypot(lat, lon) > 0.01:  # Mercator stretches what is far from here
        there = pytest.approx(abs(lat) * 111_195, rel=0.03, abs=30)
        assert abs(y) == there


def test_the_tiles_are_those_of_the_ground_that_is_seen() -> None:
    """Zurich's main station is in tile 14/8580/5737 (OpenStreetMap's numbers)."""
    svg = draw(scene(van=(8.5402, 47.3782), door=(8.5402, 47.3782), route=()), "m", "/{z}/{x}/{y}")
    tiles = {tuple(map(int, each)) for each in re.findall(r'href="/(\d+)/(\d+)/(\d+)"', svg)}
    (level,) = {z for z, _, _ in tiles}
    assert level >= 14
    assert {(x >> level - 14, y >> level - 14) for _, x, y in tiles} == {(8580, 5737)}


@pytest.mark.parametrize("lat", [-90.0, 89.9, 90.0])
def test_at_a_pole_a_map_ends_as_every_map_does(lat: float) -> None:
    svg = draw(scene(van=(8.5, lat), door=(8.6, lat), route=()), "m", "/{z}/{x}/{y}")
    assert 1 <= svg.count("<image") <= 40


def test_a_map_is_told_to_those_who_cannot_see_it() -> None:
    assert in_words(scene(heading=44.0)) == (
        "The van on its way to your door, 4.3 km from it, heading north-east."
    )
    assert in_words(scene(distance_m=None, heading=None)) == "The van at your door."
    svg = draw(scene(), "map-7")
    assert 'aria-labelledby="map-7-t map-7-d"' in svg
    assert '<title id="map-7-t">Map</title>' in svg


@pytest.mark.parametrize(
    ("metres", "words"),
    [
        (0, "0 m"),
        (123, "120 m"),
        (994, "990 m"),
        (996, "1.0 km"),
        (4321, "4.3 km"),
        (12345, "12 km"),
    ],
)
def test_a_length_is_as_exact_as_people_need_it(metres: int, words: str) -> None:
    assert length(metres) == words


@pytest.mark.parametrize(
    ("route", "heading"),
    [
        ([[9.5, 47.0], [9.5, 47.1]], 0),
        ([[9.5, 47.0], [9.6, 47.0]], 90),
        ([[9.5, 47.0], [9.5, 46.9]], 180),
        ([[9.5, 47.0], [9.500001, 46.999999], [9.5, 47.1]], 0),
    ],
)
def test_the_van_heads_along_its_way_whatever_its_first_inch(
    route: list[list[float]], heading: float
) -> None:
    told = moving() | {"route": {"type": "LineString", "coordinates": route}}
    (parcel,) = progress(snapshot(order(), told)).parcels
    assert parcel.scene is not None
    assert parcel.scene.heading == pytest.approx(heading, abs=0.2)


# --- places

TAGS = st.from_regex(r"[1-9]\d{0,5}(-[0-9a-f]{8})?", fullmatch=True)


@given(st.integers(0, 10**9 - 1), st.dictionaries(st.sampled_from("abc"), TAGS))
def test_a_place_is_read_as_it_was_written(version: int, told: dict[str, str]) -> None:
    assert read(Place(version, told).id("abc"), "abc") == Place(version, told)


@given(st.text())
def test_whatever_is_sent_as_a_place_is_one_or_is_not(id: str) -> None:
    found = read(id, "abc")
    assert found is None or found.order >= 0


def test_an_older_look_at_a_delivery_is_no_news() -> None:
    place = Place(7, {"d": "3-aa"})
    for tag, news in (("2", False), ("3-aa", False), ("3-bb", True), ("3", True), ("4", True)):
        assert place.is_behind("d", tag) is news
    assert place.is_behind("e", "1")
