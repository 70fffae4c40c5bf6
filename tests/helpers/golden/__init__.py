"""Golden cases: what Python computes in float64, for the functions of the explorables.

A function of this package yields the cases of one JavaScript function: its arguments, and what it
must return. The cases are computed when they are needed, so they cannot lag behind the Python code.
"""
