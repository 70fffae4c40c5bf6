"""``python -m recallkit`` is the ``recallkit`` command."""

from recallkit.cli import main

main()
