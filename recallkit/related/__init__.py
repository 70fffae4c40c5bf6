"""The paper's relatives: other systems that change a loss so that it agrees with a metric.

Each stands in a file of its own, needs torch only, and imports nothing of its siblings.
"""

__all__ = []
