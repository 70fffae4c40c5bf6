"""The one exception for what a user can repair: a file, a folder, a setting."""


class RecallkitError(Exception):
    """Something outside the code is wrong; the message names it and the remedy.

    Wrong *arguments* of a function raise ``ValueError`` instead. The command line prints both
    without a traceback and exits with status 1.
    """
