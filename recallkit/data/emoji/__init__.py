"""The embedded emoji: a class is an emoji, an image one foundry's drawing of it.

``splits`` loads them; ``archive`` reads and writes ``emoji.zip``; the other modules build it:
``sources`` → ``match`` → ``render`` → ``clean`` → ``build``.
"""

from recallkit.data.emoji.splits import load_emoji

__all__ = ["load_emoji"]
