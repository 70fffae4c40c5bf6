"""The subcommand ``prepare``."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from recallkit.config import PRESETS
from recallkit.data.benchmarks import BENCHMARKS
from recallkit.errors import RecallkitError

if TYPE_CHECKING:
    pass


def prepare(
    name: Positional[Literal[("emoji", "glyphs", *BENCHMARKS)]],  # type: ignore[valid-type]
    sources: Path | None = None,
    fonts: Path | None = None,
    out: Path | None = None,
    root: Path | None = None,
    fetch: bool = False,
) -> None:
    """Build an embedded data set anew, or check the files of a benchmark.

    Of a benchmark: compares the folder --root with the known counts, says what is missing, what
    to get and from whom, and how it must lie. Exits with status 1 if anything is missing.

    Of emoji and glyphs: needs the packages of `pip install "recallkit[prepare]"` and, without
    --sources, the network and npm (emoji) or apt-get of Debian 12 (glyphs). The files that come
    with recallkit were made by this command.

    Examples:
      recallkit prepare sop --root ~/data/Stanford_Online_Products
      recallkit prepare cub --root ~/data --fetch
      recallkit prepare emoji
      recallkit prepare emoji --sources unpacked-npm-packages
      recallkit prepare glyphs
      recallkit prepare glyphs --sources folder-of-debian-packages
      recallkit prepare glyphs --fonts my-typefaces --out my-glyphs

    Args:
        name: the data set.
        sources: for emoji and glyphs: a folder with the source packages; by default they are
            fetched.
        fonts: for glyphs: a folder with typefaces of one's own to make a set of; needs --out.
        out: for emoji and glyphs: the folder to write to; by default that of the embedded set.
        root: the folder that holds the benchmark.
        fetch: download it into --root first, where its makers allow that without asking.
    """
    if name in BENCHMARKS:
        _prepare_benchmark(name, root, fetch)
        return
    from recallkit.files import embedded

    if name == "emoji" and fonts is not None:
        raise ValueError("--fonts is for glyphs; emoji are drawings, not typefaces")
    if fonts is not None and out is None:
        raise ValueError("--fonts needs --out: the embedded glyphs stay what they are")
    if name == "glyphs":
        from recallkit.data.glyphs.build import build as build_glyphs

        print(f"wrote {build_glyphs(out or embedded(name), sources, fonts)}")
        return
    from recallkit.data.emoji.build import build

    print(f"wrote {build(out or embedded(name), sources)}")


def _prepare_benchmark(name: str, root: Path | None, wanted: bool) -> None:
    from recallkit.data.benchmarks import check
    from recallkit.data.benchmarks.download import fetch

    benchmark = BENCHMARKS[name]
    if root is None:
        raise RecallkitError(f"name the folder that holds {name}, or shall hold it: --root DIR")
    root = root.expanduser()
    if wanted:
        if benchmark.archive is None:
            raise RecallkitError(
                f"{benchmark.title} cannot be fetched by a program. It comes from: "
                f"{benchmark.source}"
            )
        root = fetch(benchmark.archive, root)
    found = check(benchmark, root)
    print("\n".join([f"{benchmark.title} in {root}", *found.lines]))
    if found.problems:
        raise RecallkitError("\n  ".join(["the data set is not complete:", *found.problems]))
    print(f"complete. {_next_step(name, root)}")


def _next_step(name: str, root: Path) -> str:
    """The command that uses a complete data set."""
    preset = next((key for key, config in PRESETS.items() if config.dataset == name), None)
    if preset is not None:
        return f"Train with: recallkit train --preset {preset} --root {root}"
    return f"Measure a run with: recallkit evaluate RUN --dataset {name} --root {root}"
