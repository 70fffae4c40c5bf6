"""Figures that answer the hand: ES modules that compute in the page, and their Python classes."""
