"""Descriptions come from others: what could harm a reader is gone, what cannot stays."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from catalog.prose import BLOCKS, INLINE, LONGEST, plain, sanitised

KEPT = [
    "Holds tea & coffee.",
    '5 > 4, "quoted", &amp; as it was typed',
    "two\n\nlines",
    "",
    "<p>Holds <b>tea</b> &amp; <em>coffee</em>.<br>Twice.</p>",
    "<h2>Care</h2><ul><li>wash</li><li>dry</li></ul><blockquote>good</blockquote>",
    "H<sub>2</sub>O",
]


@pytest.mark.parametrize("text", KEPT)
def test_harmless_text_stays_exactly_as_it_is(text: str) -> None:
    assert sanitised(text) == text


SAFE_LINK = 'rel="noopener nofollow"'

MENDED = [
    ("5 < 6 & 7", "5 &lt; 6 &amp; 7"),
    ("<script>alert(1)</script>tea", "tea"),
    ("<SCRIPT SRC=//evil.example/x.js></SCRIPT>tea", "tea"),
    ("<scr<script>ipt>alert(1)</script>tea", "ipt&gt;alert(1)tea"),
    ("<style>*{display:none}</style>tea", "tea"),
    ('<p style="position:fixed" class="x" id="y">tea</p>', "<p>tea</p>"),
    ('<img src=x onerror="alert(1)">tea', "tea"),
    ("<b onmouseover=alert(1) title=x lang=en>tea</b>", "<b>tea</b>"),
    ("<svg onload=alert(1)><a xlink:href=javascript:alert(1)>x</a></svg>tea", "tea"),
    ("<math><mtext><style><img src=x onerror=alert(1)></style></mtext></math>tea", "tea"),
    ('<iframe src="https://evil.example"></iframe>tea', "tea"),
    ("<object data=x></object><embed src=x><base href=//evil.example>tea", "tea"),
    ("<form action=//evil.example><input name=card></form>tea", "tea"),
    ("<!--[if IE]><script>alert(1)</script><![endif]-->tea", "tea"),
    ("<p>tea", "<p>tea</p>"),
    ("<b><i>tea</b></i>", "<b><i>tea</i></b>"),
    ('<a href="https://alder.example/a?b=1&c=2" target=_blank ping=x>maker</a>',
     f'<a href="https://alder.example/a?b=1&amp;c=2" {SAFE_LINK}>maker</a>'),
    ('<a href="mailto:a@alder.example" rel="opener">write</a>',
     f'<a href="mailto:a@alder.example" {SAFE_LINK}>write</a>'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "safe"), MENDED)
def test_what_could_harm_is_gone(text: str, safe: str) -> None:
    assert sanitised(text) == safe


ADDRESSES = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    " javascript:alert(1)",
    "java&#9;script:alert(1)",
    "java\nscript:alert(1)",
    "&#106;avascript:alert(1)",
    "\x01javascript:alert(1)",
    "vbscript:msgbox(1)",
    "data:text/html,<script>alert(1)</script>",
    "file:///etc/passwd",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_link_leads_nowhere_but_to_the_web_or_a_letter_box(address: str) -> None:
    assert sanitised(f'<a href="{address}">tea</a>') == f"<a {SAFE_LINK}>tea</a>"


def test_what_cannot_be_mended_loses_its_tags() -> None:
    """Each paragraph opens all the tags again that were never closed."""
    text = "<p>" + "".join(f"<i z{n}>" for n in range(700)) + "<p>tea" * 400
    assert sanitised(text) == "tea" * 400


TAG = re.compile(r"</?([a-z0-9]+)( [^>]*)?>")
PARTS = st.sampled_from(
    [
        "tea", " ", "\n", "&", "&lt;", "&#60;b&#62;", "<", ">", '"', "'", "\x00", "\xa0", "é",
        "<p>", "</p>", "<b>", "</b>", "<i>", "</i>", "<ul>", "<li>", "</ul>", "<br>", "<h2>",
        "</h3>", "<a href='x'>", "<a href=javascript:x>", "</a>", "<script>", "</script>",
        "<style>", "<svg>", "</svg>", "<math>", "<mi>", "<table>", "<td>", "<form>", "<select>",
        "<option>", "<template>", "<textarea>", "<title>", "<noscript>", "<plaintext>", "<!--",
        "-->", "<![CDATA[", "]]>", "<?", "<p onclick=x>", "<blockquote>", "<b\n", "</",
        "<a title='<b>' href='//y'>", "<foreignObject>",
    ]
)  # fmt: skip


@given(st.one_of(st.lists(PARTS, max_size=25).map("".join), st.text(max_size=200)))
@example("<svg></p><style><a title='</style><img src onerror=alert(1)>'>")
@example("<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1&gt;'>")
def test_only_harmless_tags_are_left_and_twice_is_as_good_as_once(text: str) -> None:
    safe = sanitised(text)
    assert sanitised(safe) == safe
    assert len(safe) <= LONGEST
    if "<" not in text:
        assert safe == text
        return
    for tag in TAG.finditer(safe):
        assert tag[1] in BLOCKS | INLINE
        assert tag[2] is None or (tag[1] == "a" and "javascript" not in tag[2])
    assert "<" not in TAG.sub("", safe)


def test_the_words_of_a_description_are_read_without_its_tags() -> None:
    assert plain("Tom & Jerry") == "Tom & Jerry"
    assert plain("H<sub>2</sub>O &amp; tea").split() == ["H2O", "&", "tea"]
    assert plain('<p>one</p><p>two<br><a href="/x" title="a>b">three</a></p>').split() == [
        "one",
        "two",
        "three",
    ]


def test_what_a_browser_would_nest_otherwise_is_mended_to_the_end() -> None:
    assert sanitised("<p>a<button><p>b") == "<p>a</p><p>b</p><p></p>"
