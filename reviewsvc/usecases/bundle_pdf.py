"""Writes a bundle's cover as PDF: the same sections give the same bytes."""

import unicodedata
from collections.abc import Sequence
from functools import cached_property
from importlib import resources
from typing import Final

from fpdf import FPDF
from fpdf.enums import TableBordersLayout, XPos, YPos
from fpdf.fonts import FontFace

from reviewsvc.domain.bundle_cover import Section
from reviewsvc.domain.moments import moment

_FONT, _FIXED = "DejaVu", "Courier"
_FILES: Final = {"": "DejaVuSans.ttf", "B": "DejaVuSans-Bold.ttf"}
_TITLE_PT, _HEADING_PT, _TEXT_PT, _SMALL_PT = 20, 13, 10, 8
_LINE_MM, _TITLE_MM, _GAP_MM, _MARGIN_MM = 5.2, 11, 5, 20
_GREY, _LINE_GREY, _LINE_WIDTH_MM = 110, 200, 0.2
# Widths of columns, by how many a table has: two are a name and what it is, four are a log's.
_WIDTHS: Final = {2: (30, 70), 4: (24, 32, 14, 30)}


class _Page(FPDF):
    def embed(self) -> None:
        """Bring the fonts in; of each, what is used is put into the file."""
        for style, name in _FILES.items():
            file = resources.files("reviewsvc").joinpath("vendor", "dejavu", name)
            with resources.as_file(file) as path:
                self.add_font(_FONT, style, path)

    @cached_property
    def known(self) -> frozenset[str]:
        """The characters that both fonts have."""
        has = [{chr(code) for code in self.fonts[_FONT.lower() + style].cmap} for style in _FILES]  # type: ignore[union-attr] # both are TrueType
        return frozenset(has[0] & has[1])

    def plain(self, text: str) -> str:
        """Leave what the fonts have; the rest is spelled out, and stands in the manifest as it is."""
        composed = unicodedata.normalize("NFC", text)
        return "".join(each if each in self.known else _spelled(each) for each in composed)

    def footer(self) -> None:
        """Number the pages."""
        self.set_y(-15)
        self.set_font(_FONT, size=_SMALL_PT)
        self.set_text_color(_GREY)
        self.cell(0, 10, f"Page {self.page_no()} of {{nb}}", align="R")
        self.set_text_color(0)


def written(origin: str, sections: Sequence[Section], made_at: int) -> bytes:
    """Return the page as PDF; it was made at a moment in microseconds."""
    page = _Page(format="A4")
    page.set_margin(_MARGIN_MM)
    page.set_auto_page_break(auto=True, margin=_MARGIN_MM)
    page.embed()
    page.set_title(f"Audit bundle of {origin}")
    page.set_creation_date(moment(made_at))
    page.set_lang("en")
    page.set_draw_color(_LINE_GREY)
    page.set_line_width(_LINE_WIDTH_MM)
    page.add_page()
    page.set_font(_FONT, style="B", size=_TITLE_PT)
    _line(page, "Audit bundle", height=_TITLE_MM)
    page.set_font(_FONT, size=_HEADING_PT)
    _line(page, page.plain(origin), height=_LINE_MM + 2)
    for each in sections:
        _write(page, each)
    return bytes(page.output())


def _write(page: _Page, section: Section) -> None:
    page.ln(_GAP_MM)
    if page.will_page_break(4 * _LINE_MM):
        page.add_page()
    page.set_font(_FONT, style="B", size=_HEADING_PT)
    _line(page, section.title, height=_LINE_MM + 2)
    page.set_font(_FONT, size=_TEXT_PT)
    if section.rows:
        _table(page, section)
    for each in section.texts:
        _line(page, page.plain(each))
    for each in section.points:
        _line(page, f"\N{BULLET}  {page.plain(each)}")
    if section.command:
        page.ln(_GAP_MM / 2)
        page.set_font(_FIXED, size=_TEXT_PT)
        _line(page, section.command)


def _table(page: _Page, section: Section) -> None:
    widths = _WIDTHS[len(section.rows[0])]
    page.set_font(_FONT, size=_SMALL_PT if section.head else _TEXT_PT)
    bold = FontFace(emphasis="BOLD")
    with page.table(
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        col_widths=widths,
        first_row_as_headings=bool(section.head),
        headings_style=bold,
        line_height=_LINE_MM,
        text_align="LEFT",
        padding=1,
    ) as table:
        for cells in [section.head, *section.rows] if section.head else section.rows:
            row = table.row()
            for cell in cells:
                row.cell(page.plain(cell))


def _line(page: FPDF, text: str, *, height: float = _LINE_MM) -> None:
    page.multi_cell(0, height, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT, align="L")


def _spelled(mark: str) -> str:
    return mark.encode("ascii", "backslashreplace").decode() if mark.isprintable() else " "
