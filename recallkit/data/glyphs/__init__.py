"""The embedded glyphs: a class is a character, an image its shape in one typeface.

``splits`` loads them; ``archive`` reads and writes ``glyphs.zip``; ``distortion`` makes the harder
set; the other modules build it: ``sources`` → ``render`` → ``clean`` → ``build``.
"""

from recallkit.data.glyphs.splits import load_distorted_glyphs, load_glyphs

__all__ = ["load_distorted_glyphs", "load_glyphs"]
