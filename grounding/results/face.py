"""A report as a notebook shows it: one table, without style or script of its own."""

from collections.abc import Sequence
from html import escape


def html_table(
    title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str]
) -> str:
    """A table as HTML; whatever stands in it is text.

    Args:
        title: Above it.
        headings: Of its columns.
        rows: As many cells as there are headings.
        notes: Sentences below it.
    """
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    told = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return (
        f"<p><strong>{escape(title)}</strong></p><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table><ul>{told}</ul>"
    )
