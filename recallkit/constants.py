"""Numbers on which several areas must agree."""

PIXEL_MEAN, PIXEL_STD = 0.5, 0.25
"""All networks here take images as (pixel of 0 … 1 − mean) / std, about −2 … 2.

Drawings have no statistics of their own; a backbone of photographs rescales its input.
"""

PAPERS_KS = (1, 2, 4, 8, 16)
"""The cut-offs k of the recall@k loss in the paper."""

SIMIX_KS = (1, 2, 4, 8, 12, 16, 20, 24, 28, 32)
"""The cut-offs k that the paper takes with SiMix; from memory, unverified."""
