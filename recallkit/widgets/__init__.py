"""Sliders wired to plots. Nothing is computed here; each widget calls a function of ``plots``."""
