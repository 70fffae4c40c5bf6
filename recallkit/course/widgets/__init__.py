"""Sliders wired to figures. Each widget calls a function of ``course.figures``."""
