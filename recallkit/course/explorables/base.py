"""The Python side of an explorable: its values as traits, and pages that live without Python."""

from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets

from recallkit.course.explorables.bundle import bundle
from recallkit.course.explorables.page import fragment, page
from recallkit.course.translation import readers_language, translated_words
from recallkit.files import write_atomically

FOLDER = Path(__file__).parent
OF_WIDGETS = {"layout", "tabbable", "tooltip"}


class Numbers(traitlets.List):
    """A list of plain numbers; a tensor or an array of one dimension becomes one."""

    def validate(self, obj: Any, value: Any) -> Any:
        """Turn what has ``tolist`` into a list."""
        return super().validate(obj, value.tolist() if hasattr(value, "tolist") else value)


class Explorable(anywidget.AnyWidget):
    """A figure that computes in the page.

    It shows its values, and the reader moves them. Each value is a trait: ``figure.k = 3`` moves
    the drawing, and ``figure.k`` is what the reader has set.

    Attributes:
        words: name → text, in place of the English texts of the module; {} keeps all of them. The
            default: those of the language in ``$RECALLKIT_LANGUAGE``, if it is set.
    """

    module: ClassVar[str]
    """File name of the ES module, without ``.js``."""

    unrun: ClassVar[str] = (
        "[A figure to move. It comes to life when you run this cell after those above it, or trust "
        "the notebook. The next figure shows what it shows.]"
    )
    """What stands in its place in a stored notebook that is not trusted."""

    words = traitlets.Dict().tag(sync=True)

    @traitlets.default("words")
    def _words_of_reader(self) -> dict[str, str]:
        return translated_words(self.module_text(), readers_language())

    def __init_subclass__(cls, **options: Any) -> None:
        """Give the class its module, and its values without an echo."""
        if "module" in vars(cls):  # anywidget makes further classes, which inherit it
            cls._esm = cls.module_text()
        for trait in vars(cls).values():
            if isinstance(trait, traitlets.TraitType) and trait.metadata.get("sync"):
                trait.tag(echo_update=False)  # the page is further on, and would draw it once more
        super().__init_subclass__(**options)

    @classmethod
    def module_text(cls) -> str:
        """Return the ES module of the class, joined with what it imports."""
        return bundle(FOLDER / f"{cls.module}.js")

    def values(self) -> dict[str, Any]:
        """Return name → value of all that the drawing is made from, and of what it computes."""
        names = [name for name in self.traits(sync=True) if not name.startswith("_")]
        return {name: getattr(self, name) for name in names if name not in OF_WIDGETS}

    def to_html(self, place: str) -> str:
        """Make the figure as it is now a part of a page, live without Python or network.

        Args:
            place: the id of its element, different for each figure of a page.
        """
        return fragment(self.module_text(), self.values(), place)

    def save_html(self, path: str | Path, title: str) -> None:
        """Write the figure as a page of one file that any browser opens.

        Args:
            path: of the page; a file that is there is replaced.
            title: of the page.

        Raises:
            RecallkitError: if the file cannot be written.
        """
        whole = page(title, self.to_html("figure"))
        write_atomically(Path(path), lambda draft: draft.write_text(whole, encoding="utf-8"))
