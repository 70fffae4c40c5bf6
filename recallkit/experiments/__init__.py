"""Stored results, and what is made of them."""
