"""One self-contained HTML page from headings, sentences, tables and figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from . import figures, show

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass
class Section:
    """A heading and what stands under it, in the order in which it was added."""

    heading: str
    parts: list[tuple[str, str]] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Add a sentence."""
        self.parts.append(("text", text))

    def table(self, frame: pd.DataFrame, caption: str = "") -> None:
        """Add a table with its caption above it; numbers with four digits."""
        made = frame.map(show.number).to_html(index=False, border=0, justify="left")
        made = made.replace("<th>", '<th scope="col">')  # cells are escaped: no other tag is hit
        if caption:
            made = made.replace("<thead>", f"<caption>{escape(caption)}</caption><thead>", 1)
        self.parts.append(("html", f'<div class="wide" tabindex="0">{made}</div>'))

    def figure(self, figure: Figure, caption: str) -> None:
        """Add a figure as SVG, its caption below it and as its text for who cannot see it."""
        told = f'<svg role="img" aria-label="{escape(caption)}"'
        self.parts.append(("html", figures.svg(figure).replace("<svg", told, 1)))
        self.parts.append(("caption", caption))


def write(path: Path, title: str, intro: str, sections: list[Section], foot: str) -> Path:
    """Write the page; its folder is made where it is missing.

    Returns
    -------
    Path
        Where the page is.
    """
    from jinja2 import Environment

    template = files(__package__).joinpath("templates", "page.html").read_text(encoding="utf-8")
    made = Environment(autoescape=True).from_string(template).render(
        title=title, intro=intro, sections=sections, foot=foot)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(made, encoding="utf-8")
    return path
