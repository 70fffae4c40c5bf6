"""Conclusions from stored runs: figures, tables of pages, the paper's claims, published numbers."""

from recallkit.errors import needs_extra

with needs_extra("recallkit.findings"):
    from recallkit.findings.claims import CLAIMS, changes_here, changes_published, draw_claim
    from recallkit.findings.figures import (
        TOGETHER,
        draw_batch_gain,
        draw_results,
        draw_side_by_side,
        draw_simix_gain,
        draw_together,
        save_figure,
    )
    from recallkit.findings.gains import batch_gains, simix_gains
    from recallkit.findings.notes import footnotes
    from recallkit.findings.published import LEGEND, comparison, load_published

__all__ = [
    "CLAIMS",
    "LEGEND",
    "TOGETHER",
    "batch_gains",
    "changes_here",
    "changes_published",
    "comparison",
    "draw_batch_gain",
    "draw_claim",
    "draw_results",
    "draw_side_by_side",
    "draw_simix_gain",
    "draw_together",
    "footnotes",
    "load_published",
    "save_figure",
    "simix_gains",
]
