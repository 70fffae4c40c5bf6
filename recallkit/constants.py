"""Numbers that several areas must agree on."""

PIXEL_MEAN, PIXEL_STD = 0.5, 0.25
"""What images are normalised with, (pixel of 0 … 1 − mean) / std, before every network here.

It brings pixels to about −2 … 2; drawings have no statistics of their own.
"""

PAPERS_KS = (1, 2, 4, 8, 16)
"""The cut-offs k of the recall@k loss in the paper."""

PAPERS_K_TEMPERATURE = 1.0
"""τ₁ of the paper, in ranks: of the sigmoid that counts a positive within the first k."""

PAPERS_RANK_TEMPERATURE = 0.01
"""τ₂ of the paper, in similarities: of the sigmoids that make up a relaxed rank."""
