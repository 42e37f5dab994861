"""Tables as HTML."""

from html.parser import HTMLParser

from mlp.markup import Markup, html_table


class Cells(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.texts = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.texts += [data] if data.strip() else []


def test_text_is_escaped_and_markup_is_not():
    cells = Cells()
    cells.feed(html_table([("name", "<b>"), ("<script>alert(1)</script>\n", Markup("<i>seen</i>"))], caption='"a" & b'))
    assert cells.tags == ["table", "caption", "thead", "tr", "th", "th", "tbody", "tr", "td", "td", "i"]
    assert cells.texts == ['"a" & b', "name", "<b>", "<script>alert(1)</script>\\n", "seen"]
