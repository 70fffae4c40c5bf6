"""The subcommand ``prepare``."""

from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from recallkit.config import PRESETS
from recallkit.data.benchmarks import BENCHMARKS
from recallkit.errors import RecallkitError
from recallkit.files import checkout, expanded


def prepare(
    name: Positional[Literal[("emoji", "glyphs", *BENCHMARKS)]],  # type: ignore[valid-type]
    sources: Path | None = None,
    fonts: Path | None = None,
    out: Path | None = None,
    root: Path | None = None,
    fetch: bool = False,
) -> None:
    """Check a benchmark's files, or build emoji or glyphs.

    A benchmark: compares the folder --root with the known counts. Shows what is missing, where to
    get it, and the folder layout. The exit status is 1 if anything is missing.

    Emoji and glyphs come with recallkit, and were built with this command. It needs the packages
    of `pip install "recallkit[prepare]"`. Without --sources it also needs the network, and npm for
    emoji, or apt-get of Debian 12 for glyphs.

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
        sources: for emoji and glyphs: a folder with the source packages. The default: download
            them.
        fonts: for glyphs: a folder with your own typefaces to build a data set from; needs --out.
        out: for emoji and glyphs: the folder to write to. The default: data/NAME of the checkout.
        root: for a benchmark: the folder that holds it.
        fetch: for a benchmark: download it into --root first. Only some allow that.
    """
    if name in BENCHMARKS:
        _prepare_benchmark(name, root, fetch)
        return
    if name == "emoji" and fonts is not None:
        raise ValueError("--fonts is for glyphs; emoji are drawings, not typefaces")
    if fonts is not None and out is None:
        raise ValueError("--fonts needs --out: your glyphs must not replace the embedded ones")
    print(f"wrote {_build(name, sources, fonts, out or _embedded_to_write(name))}")


def _build(name: str, sources: Path | None, fonts: Path | None, out: Path) -> Path:
    if name == "glyphs":
        from recallkit.data.glyphs.build import build as build_glyphs

        return build_glyphs(out, sources, fonts)
    from recallkit.data.emoji.build import build as build_emoji

    return build_emoji(out, sources)


def _embedded_to_write(name: str) -> Path:
    """Return the folder of an embedded data set in the checkout.

    Raises:
        RecallkitError: if recallkit does not run from a checkout.
    """
    root = checkout()
    if root is None:
        raise RecallkitError(f"name a folder to write the {name} to: --out DIR")
    return root / "data" / name


def _prepare_benchmark(name: str, root: Path | None, wanted: bool) -> None:
    from recallkit.data.benchmarks import check
    from recallkit.data.benchmarks.download import fetch

    benchmark = BENCHMARKS[name]
    if root is None:
        raise RecallkitError(f"name the folder that holds {name}, or will hold it: --root DIR")
    root = expanded(root)
    if wanted:
        if benchmark.archive is None:
            raise RecallkitError(
                f"{benchmark.title} cannot be fetched by a program. It comes from: "
                f"{benchmark.source}"
            )
        root = fetch(benchmark.archive, root)
    result = check(benchmark, root)
    print("\n".join([f"{benchmark.title} in {root}", *result.lines]))
    if result.problems:
        raise RecallkitError("\n  ".join(["the data set is not complete:", *result.problems]))
    print(f"complete. {_next_step(name, root)}")


def _next_step(name: str, root: Path) -> str:
    """Return the command that uses a complete data set."""
    preset = next((key for key, config in PRESETS.items() if config.dataset == name), None)
    if preset is not None:
        return f"Train with: recallkit train --preset {preset} --root {root}"
    return f"Evaluate a run with: recallkit evaluate RUN --dataset {name} --root {root}"
