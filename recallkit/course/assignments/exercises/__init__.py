"""The checks of the exercises, one module a session.

Each check is a function ``check_NAME(answer, seed)``, where NAME is the function that the student
writes. It draws inputs from the seed, compares the answer with a reference, and returns what is
wrong: a list of sentences, empty for a right answer. A sentence names the failing input and the
property that is violated, never the value that would pass.
"""
