"""Price lists as files: however large or broken they are, each row that is good is read."""

import csv
import gzip
import io
import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bus.messages import Refused
from catalog import lines
from catalog.columns import mapped
from catalog.lines import MAX_LINE
from catalog.rows import BROKEN, Fault, PriceList, Row, read

HEADER = "sku,name,price\n"


def write(folder: Path, text: str | bytes, name: str = "list.csv") -> Path:
    path = folder / name
    content = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def told(listed: PriceList) -> list[tuple[str, str]]:
    """Where each row stands, and its SKU or the kind of fault."""
    return [
        (row.where, row.kind if isinstance(row, Fault) else row.fields["sku"])
        for row in listed.rows
    ]


def test_a_line_that_is_far_too_long_costs_only_itself(tmp_path: Path) -> None:
    text = f"{HEADER}A,Ann,1\nB,{'x' * MAX_LINE},2\nC,Cid,3\n"
    assert told(read(write(tmp_path, text))) == [
        ("line 2", "A"), ("line 3", "too_long"), ("line 4", "C"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["list.csv.gz", "list.json.gz"])
def test_what_is_too_long_is_never_held_in_memory(tmp_path: Path, name: str) -> None:
    begin, end = (
        (f"{HEADER}A,Ann,1\nB,", ",2\nC,Cid,3\n")
        if "csv" in name
        else (
            '[{"sku": "A", "name": "Ann", "price": 1},\n{"sku": "B\\"", "name": ["',
            '"], "x": "]"},\n{"sku": "C", "name": "Cid", "price": 3}]',
        )
    )
    with gzip.open(tmp_path / name, "wt") as file:
        file.write(begin)
        for _ in range(64):
            file.write("x" * 1024 * 1024)
        file.write(end)
    tracemalloc.start()
    try:
        assert [said for _, said in told(read(tmp_path / name))] == ["A", "too_long", "C"]
        assert tracemalloc.get_traced_memory()[1] < 12 * 1024 * 1024
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('A,"Ann,1\nB,Bob,2\n', ["not_csv", "B"]),
        ('A,"Ann,1\nB,"Bob",2\nC,Cid,3\n', ["not_csv", "B", "C"]),
        ('A,Ann,1\nB,Bob,"2', ["A", "not_csv"]),
        ('A,"Ann" x,1\nB,Bob,2\n', ["not_csv", "B"]),
        (f'A,"Ann,1\nB,Bob,2\n{"x" * MAX_LINE}x\nC,Cid,3\n', ["not_csv", "B", "too_long", "C"]),
    ],
)
def test_a_quote_that_is_not_closed_swallows_no_other_row(
    tmp_path: Path, text: str, said: list[str]
) -> None:
    found = told(read(write(tmp_path, HEADER + text)))
    assert found == [(f"line {n}", each) for n, each in enumerate(said, start=2)]


def test_a_quote_that_swallows_thousands_of_rows_gives_them_back(tmp_path: Path) -> None:
    rows = "".join(f"S{n},{'Long name ' * 10},1\n" for n in range(5000))
    found = told(read(write(tmp_path, f'{HEADER}A,"Ann,1\n{rows}')))
    assert found == [("line 2", "not_csv"), *((f"line {n + 3}", f"S{n}") for n in range(5000))]


def test_a_row_is_known_by_its_first_line_whatever_ends_it(tmp_path: Path) -> None:
    text = '\ufeffSKU,Name , price\r\n\r\n\nA,"Ann\r\nand Bob",1\r\n,,\nB,Bob,2'
    listed = read(write(tmp_path, text))
    assert told(listed) == [("line 4", "A"), ("line 7", "B")]
    (ann, _) = listed.rows
    assert isinstance(ann, Row)
    assert ann.fields["name"] == "Ann\r\nand Bob"


@pytest.mark.parametrize("name", ["list.csv.gz", "list.json.gz"])
def test_a_packed_list_that_breaks_off_is_read_until_there(tmp_path: Path, name: str) -> None:
    rows = [{"sku": f"S{n}", "name": f"{n * 7919 % 10007:x}" * 9, "price": n} for n in range(3000)]
    body = json.dumps(rows)
    if "csv" in name:
        body = HEADER + "".join(f"{r['sku']},{r['name']},{r['price']}\n" for r in rows)
    path = write(tmp_path, body, name)
    assert len(read(path).rows) == 3000
    path.write_bytes(path.read_bytes()[:-2000])
    *good, last = read(path).rows
    assert len(good) > 1000
    assert all(isinstance(row, Row) for row in good)
    assert isinstance(last, Fault)
    assert last.kind == BROKEN
    assert "nothing behind it was read" in last.reason
    path.write_bytes(b"no gzip at all")
    with pytest.raises(Refused, match="cannot be unpacked"):
        read(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sku;name;price\n1;2;3\n", "semicolons"),
        (b"\xff\xfes\x00k\x00u\x00", "UTF-16"),
        ('"sku,name,price\n', "never closed|not closed"),
        ("x" * (MAX_LINE + 1), "far too long"),
    ],
)
def test_a_wrong_header_is_refused_with_what_is_wrong(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    with pytest.raises(Refused, match=said):
        read(write(tmp_path, text))


INVOICES = "InvoiceNo,StockCode,Description,UnitPrice\n1,A,Ann,1.50\n"


def test_columns_are_what_they_are_mapped_to(tmp_path: Path) -> None:
    mapping = mapped(["sku=StockCode, name=description", "price=UnitPrice"])
    listed = read(write(tmp_path, INVOICES), mapping)
    (row,) = listed.rows
    assert isinstance(row, Row)
    assert row.fields == {"sku": "A", "name": "Ann", "price": "1.50"}  # and no description
    assert listed.unused == ("InvoiceNo",)
    entry = [{"StockCode": "A", "Description": "Ann", "UnitPrice": 1.5, "sku": "other"}]
    (row,) = read(write(tmp_path, json.dumps(entry), "a.json"), mapping).rows
    assert isinstance(row, Row)
    assert row.fields == {"sku": "A", "name": "Ann", "price": "1.5"}


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ("sku", "'sku' names no column"),
        ("sku=", "names no column"),
        ("code=StockCode", "no field 'code', but there are sku, name"),
        ("sku=A,sku=B", "sku cannot be A and B"),
        ("sku=Code", "no column Code, but it has InvoiceNo, StockCode, Description, UnitPrice"),
        ("sku=StockCode", "no column name, price"),
    ],
)
def test_a_mapping_that_cannot_be_is_refused_naming_what_there_is(
    tmp_path: Path, mapping: str, said: str
) -> None:
    with pytest.raises(Refused, match=said):
        read(write(tmp_path, INVOICES), mapped([mapping]))


def test_a_mapping_is_checked_against_the_first_object(tmp_path: Path) -> None:
    path = write(tmp_path, '[{"code": 1, "name": "n", "price": 1}]', "a.json")
    with pytest.raises(Refused, match=r"a\.json, row 1 has no column nr, but it has code, name"):
        read(path, mapped(["sku=nr"]))


def test_attributes_and_categories_are_read_from_either_kind(tmp_path: Path) -> None:
    entry = {
        "sku": "A", "name": "n", "price": 1, "attributes": {"Colour": "blue", "Size": 4},
        "categories": ["Home", "Gifts"],
    }  # fmt: skip
    text = "sku,name,price,attribute:Colour,Attribute: Size,categories\nA,n,1,blue,4,Home|Gifts\n"
    for path in (write(tmp_path, json.dumps([entry]), "a.json"), write(tmp_path, text)):
        (row,) = read(path).rows
        assert isinstance(row, Row)
        assert row.fields == {
            "sku": "A", "name": "n", "price": "1", "categories": "Home|Gifts",
            "attribute:Colour": "blue", "attribute:Size": "4",
        }  # fmt: skip


def test_where_json_breaks_is_said_and_what_came_before_is_kept(tmp_path: Path) -> None:
    good = '[{"sku": "A", "name": "n", "price": 1},\n'
    for rest, said in (
        ('{"sku": "B",, }]', "line 2, column 13"),
        ('{"sku": "B"', "line 2, column 12"),
        ('{"sku": "B}]', "Unterminated string"),
        ("", "Expecting value"),
        ("]", "Expecting value"),
        ('{"sku": "B", "name": "n", "price": 1} {"sku"', "expecting ',' or ']'"),
    ):
        *kept, last = read(write(tmp_path, good + rest, "a.json")).rows
        assert isinstance(last, Fault)
        assert last.kind == BROKEN, rest
        assert said in last.reason, rest
        assert "nothing behind it was read" in last.reason
        assert told(PriceList(tuple(kept), ()))[0] == ("row 1", "A")


def test_an_element_that_is_none_costs_only_itself(tmp_path: Path) -> None:
    deep = "[" * 20_000 + "]" * 20_000
    many = "9" * 10_000
    wide = json.dumps({"name": 'q"\\]}' * MAX_LINE})
    rows = ["1", f"{deep}", many, wide, "null", '{"sku": "A", "name": ["n"], "price": 1}']
    text = "[" + ",\n".join([*rows, '{"sku": "B", "name": "n", "price": 1e400}']) + "]"
    listed = read(write(tmp_path, text, "a.json"))
    assert told(listed) == [
        ("row 1", "no_object"),
        ("row 2 (line 2)", "unreadable"),
        ("row 3 (line 3)", "no_object"),
        ("row 4 (line 4)", "too_long"),
        ("row 5 (line 5)", "no_object"),
        ("row 6 (line 6)", "invalid_name"),
        ("row 7 (line 7)", "B"),
    ]


TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8).filter(
    str.strip
)
LAW = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@LAW
@given(
    names=st.lists(TEXTS, max_size=6),
    indent=st.sampled_from([None, 0, 2]),
    piece=st.integers(1, 40),
    ascii=st.booleans(),
)
def test_json_is_read_alike_however_it_is_cut(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    names: list[str],
    indent: int | None,
    piece: int,
    ascii: bool,
) -> None:
    rows = [{"sku": f"S{n}", "name": name, "price": n * 1.25} for n, name in enumerate(names)]
    text = json.dumps(rows, indent=indent, ensure_ascii=ascii)
    monkeypatch.setattr(lines, "PIECE", piece)
    found = read(write(tmp_path, text, "a.json")).rows
    assert [row.fields["name"] for row in found if isinstance(row, Row)] == [
        name.strip() for name in names
    ]
    starts = [text[: text.index(f'"sku": "S{n}"')].rindex("{") for n in range(len(names))]
    assert [row.line for row in found] == [text.count("\n", 0, start) + 1 for start in starts]


@LAW
@given(names=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=6))
def test_a_csv_is_read_as_it_was_written(tmp_path: Path, names: list[str]) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(("sku", "name", "price"))
    writer.writerows((f"S{n}", f"n{name}n", n) for n, name in enumerate(names))
    found = read(write(tmp_path, out.getvalue())).rows
    assert [row.fields["name"] for row in found if isinstance(row, Row)] == [
        f"n{name}n" for name in names
    ]
