"""Invoices of an older system: how they are read, what becomes of each, and books that add up."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.messages import Refused
from ordering.books import Books, Fate, digits
from ordering.commands import AGREED_LINES
from ordering.invoices import COLUMNS, Invoice, Line, Survey, invoices, survey
from ordering.sales import Standings, parted, sale
from ordering.towns import TOWNS, address

HEAD = ",".join(COLUMNS)


def read(*rows: str) -> list[Invoice]:
    return list(invoices(f"{row}\n" for row in (HEAD, *rows)))


def line(sku: str = "MUG", quantity: int = 1, price: str = "2.50", at: int = 2) -> Line:
    return Line(at, sku, quantity, Decimal(price))


def invoice(*lines: Line, number: str = "1", customer: str = "c1", country: str = "") -> Invoice:
    return Invoice(number, customer, country or "United Kingdom", lines)


def taking_back(*lines: Line, customer: str = "c1") -> Invoice:
    return invoice(*lines, number="C9", customer=customer)


def test_the_lines_that_follow_one_another_are_an_invoice() -> None:
    first, second = read("1,MUG,6,2.55,c1,France", "1,BOWL,1,3,c1,France", "C2,MUG,-6,2.55,c1,EIRE")
    assert first == Invoice(
        "1", "c1", "France", (line("MUG", 6, "2.55", at=2), line("BOWL", 1, "3", at=3))
    )
    assert (first.cancels, second.cancels, second.country) == (False, True, "EIRE")


def test_the_columns_may_stand_in_another_order_between_others() -> None:
    header = "Country,InvoiceDate,UnitPrice,StockCode,InvoiceNo,Quantity,CustomerID\n"
    (found,) = invoices((header, "France,2010-12-01,2.55,MUG,7,6,c1\n"))
    assert found == Invoice("7", "c1", "France", (line("MUG", 6, "2.55"),))


def test_a_file_without_its_columns_is_refused() -> None:
    with pytest.raises(Refused, match=r"line 1 does not name UnitPrice, Country") as refused:
        list(invoices(("InvoiceNo,StockCode,Quantity,CustomerID\n", "1,MUG,1,c1\n")))
    assert refused.value.code == "wrong_header"


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("1,MUG,six,2.55,c1,France", "'six' pieces at '2.55' each"),
        ("1,MUG,6,,c1,France", "'6' pieces at '' each"),
        ("1,MUG,6,NaN,c1,France", "'NaN' is no price"),
        ("1,MUG,6,2.55,c1", "it has 5 columns, but the first line names 6"),
        (",MUG,6,2.55,c1,France", "it names no invoice"),
    ],
)
def test_a_line_that_cannot_be_read_belongs_to_its_invoice(row: str, fault: str) -> None:
    (found,) = read("1,BOWL,1,3,c1,France", row)
    assert [each.fault for each in found.lines] == ["", fault]
    assert found.lines[1].amount == 0
    with pytest.raises(Refused, match="line 3") as refused:
        sale(found, found.lines, "GBP")
    assert refused.value.code == "unreadable_line"


def test_an_invoice_has_its_id_from_what_it_says() -> None:
    once, again = read("1,MUG,6,2.55,c1,France", "2,MUG,6,2.55,c1,France")
    (moved,) = read("1,MUG,6,2.55,c1,France")
    assert once.id == moved.id != again.id


def test_what_brings_no_money_is_no_part_of_the_sale() -> None:
    mug, gift = line(quantity=2), line("GIFT", price="0")
    broken, debt = line("BROKEN", quantity=-4), line("B", price="-11062.06")
    sold, others = parted((mug, gift, broken, debt))
    assert sold == (mug,)
    assert others == {
        "free_of_charge": (gift,),
        "no_pieces_sold": (broken,),
        "negative_price": (debt,),
    }


@pytest.mark.parametrize(
    ("of", "code"),
    [
        (invoice(line(), country="Atlantis"), "unknown_country"),
        (invoice(line(), customer="a b"), "invalid_customer"),
        (invoice(line("BANK CHARGES")), "invalid_sku"),
        (invoice(line(quantity=10**9)), "too_many_pieces"),
        (invoice(line(price="0.001")), "invalid_price"),
        (invoice(*(line() for _ in range(AGREED_LINES + 1))), "too_many_lines"),
    ],
)
def test_what_the_shop_cannot_take_refuses_the_invoice(of: Invoice, code: str) -> None:
    with pytest.raises(Refused) as refused:
        sale(of, of.lines, "GBP")
    assert refused.value.code == code


def test_a_sale_is_an_order_at_the_invoices_own_prices() -> None:
    order = sale(invoice(line(quantity=3), customer=""), (line(quantity=3),), "GBP").order
    (item,) = order.items
    assert (item.sku, item.quantity, str(item.unit_price)) == ("MUG", 3, "2.50 GBP")
    assert (order.buyer_id, order.destination.country) == ("no-customer", "GB")


@pytest.mark.parametrize("country", TOWNS)
def test_every_country_has_a_town(country: str) -> None:
    found = address(country)
    assert found is not None
    assert len(found.country) == 2


def test_a_cancellation_is_of_the_last_invoice_with_exactly_its_pieces() -> None:
    standings = Standings()
    first, last = invoice(line(quantity=3), number="1"), invoice(line(quantity=3), number="2")
    for each in (first, last):
        standings.keep(each, each.lines)
    back = taking_back(line(quantity=-1), line(quantity=-2))
    assert standings.cancelled_by(back).number == "2"
    assert standings.cancelled_by(back).number == "1"
    with pytest.raises(Refused) as refused:
        standings.cancelled_by(back)
    assert refused.value.code == "no_earlier_order"


@pytest.mark.parametrize(
    ("back", "code"),
    [
        (taking_back(line(quantity=-1)), "part_of_an_order"),
        (taking_back(line(quantity=-3, price="2.49")), "no_earlier_order"),
        (taking_back(line(quantity=-3), customer="c2"), "no_earlier_order"),
        (taking_back(line(quantity=-3), customer=""), "no_customer"),
        (taking_back(line(quantity=-3)._replace(fault="torn")), "unreadable_line"),
    ],
)
def test_what_takes_no_whole_order_back_is_refused(back: Invoice, code: str) -> None:
    standings = Standings()
    standings.keep(invoice(line(quantity=3)), (line(quantity=3),))
    with pytest.raises(Refused) as refused:
        standings.cancelled_by(back)
    assert refused.value.code == code


LINES = st.lists(
    st.builds(
        line,
        quantity=st.integers(-5, 5),
        price=st.decimals("-5", "5", places=3).map(str),
    ),
    min_size=1,
    max_size=5,
)


@given(st.lists(LINES, max_size=8))
def test_every_line_stands_in_the_books_once(found: list[list[Line]]) -> None:
    files = [invoice(*lines, number=str(number)) for number, lines in enumerate(found)]
    books = Books("GBP")
    for each in files:
        refuse_all(books, each)
    assert books.disagreements(survey(files)) == []


def refuse_all(books: Books, of: Invoice) -> None:
    sold, others = parted(of.lines)
    rest = [("refused", sold), *others.items()] if sold else list(others.items())
    for number, (reason, lines) in enumerate(rest):
        books.refuse(of.number, lines, reason, invoices=int(number == 0))


def test_books_that_do_not_agree_say_where() -> None:
    books = Books("GBP")
    books.refuse("1", (line(quantity=2),), "invalid_sku")
    assert books.disagreements(Survey(2, 1, 0, Decimal("5.01"))) == [
        "the file has 2 invoices, and these rows 1",
        "the file has 5.01 GBP, and these rows 5.00",
    ]
    books.revenue = Decimal("0.01")
    assert books.disagreements(Survey(1, 1, 3, Decimal(5))) == [
        "the file says that 0 was sold, and the orders 0.01",
        "3 lines cannot be read: nobody knows their amounts",
    ]


def test_rows_are_told_by_heading_the_largest_amount_first() -> None:
    books = Books("GBP")
    for reason, quantity in (("small", 1), ("large", -9), ("small", 2)):
        books.refuse(reason, (line(quantity=quantity),), reason, f"it is {reason}")
    assert [(row.fate, row.lines, row.example) for row in books.rows()] == [
        (Fate("refused", "large"), 1, "large: it is large"),
        (Fate("refused", "small"), 2, "small: it is small"),
    ]


@pytest.mark.parametrize(
    ("amount", "said"), [("-1234.5", "-1,234.50"), ("0.001", "0.001"), ("0", "0.00")]
)
def test_a_fraction_of_a_penny_is_shown(amount: str, said: str) -> None:
    assert digits(Decimal(amount), "GBP") == said


def test_a_survey_counts_what_cannot_be_read_as_nothing() -> None:
    found = read("1,MUG,6,2.55,c1,France", "1,MUG,x,2.55,c1,France", "2,MUG,-1,2.55,c1,France")
    assert survey(found) == Survey(2, 3, 1, Decimal("12.75"))
