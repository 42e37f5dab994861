"""Write tables as HTML, for notebooks and reports: plain markup without styles or scripts, all text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from mlp.text import visible


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def cell(text: str) -> str:
    """A text as HTML shows it: markup as it is, everything else escaped and in one line."""
    return text if isinstance(text, Markup) else escape(visible(text))


def html_list(items: Iterable[str]) -> Markup:
    """A numbered list."""
    return Markup("<ol>" + "".join(f"<li>{cell(item)}</li>" for item in items) + "</ol>")


def html_table(rows: Sequence[Sequence[str]], *, caption: str = "") -> Markup:
    """A table whose first row is its heading; what is not `Markup` is escaped."""
    heading, *body = rows
    lines = ["<table>"]
    if caption:
        lines.append(f"<caption>{cell(caption)}</caption>")
    lines.append("<thead><tr>" + "".join(f'<th scope="col">{cell(text)}</th>' for text in heading) + "</tr></thead>")
    lines.append("<tbody>")
    lines += ["<tr>" + "".join(f"<td>{cell(text)}</td>" for text in row) + "</tr>" for row in body]
    lines.append("</tbody></table>")
    return Markup("\n".join(lines))
