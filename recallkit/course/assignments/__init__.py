"""Exercises of the course: their checks, their assignments, and the grading of what comes back.

An exercise is a few tagged cells of a notebook, and one function ``check_NAME`` here, in the module
of its session. The notebook holds all that a reader sees, and the solution.
"""
