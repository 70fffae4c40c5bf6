"""Data sets, one module for each; :func:`load` finds them by name."""
