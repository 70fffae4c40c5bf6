"""Results of ``search``, ``duplicates`` and ``confusions`` as text, JSON and CSV.

Names are printed as they are, except that control characters are escaped: a name cannot end its
line, or steer the terminal. JSON is in ASCII, so that every name survives every encoding.
"""

import csv
import os
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recallkit.tables import ENDS_LINE, text_table

if TYPE_CHECKING:
    from recallkit.gallery import ClassRecall, Confusion, DuplicateGroup, Index, SearchResult

MOST_GROUPS = 50  # that are printed; --json and --csv have all
TURNS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")  # of the text around them
MOST_BAD = 10  # bad images that are named


def say(message: str) -> None:
    """Print what is no result, on stderr."""
    print(one_line(message), file=sys.stderr)


def say_bad(problems: Sequence[str]) -> None:
    """Name images that were left out."""
    for problem in problems[:MOST_BAD]:
        say(f"left out: {problem}")
    if len(problems) > MOST_BAD:
        say(f"left out: {len(problems) - MOST_BAD:,} more")


def one_line(text: str) -> str:
    """Escape control characters, ends of lines and turns of direction, as Python writes them."""
    return "".join(
        c.encode("unicode_escape").decode()
        if unicodedata.category(c) in ENDS_LINE or unicodedata.bidirectional(c) in TURNS
        else c
        for c in text
    )


def print_json(values: Mapping[str, Any]) -> None:
    """Print one JSON object."""
    print(dumps(values, indent=2))


def near_path(path: str) -> str:
    """Return a path relative to the working directory if it is below it, else as it is."""
    here = os.getcwd() + os.sep
    return one_line(path.removeprefix(here))


def values_of_search(result: "SearchResult", index: "Index", run: Path) -> dict[str, Any]:
    """Gather what a search found, for JSON."""
    found: dict[str, list[dict[str, Any]]] = {}
    for record in result.records():
        found.setdefault(record.pop("query"), []).append(record)
    return {
        "run": str(run),
        "gallery": index.root,
        "images": len(index),
        "measure": "cosine",
        "queries": [{"query": query, "neighbours": records} for query, records in found.items()],
        "left_out": list(result.bad),
    }


def print_search(result: "SearchResult") -> None:
    """Print the results of each query; its own name if there are several."""
    for i, (query, paths, labels) in enumerate(
        zip(result.queries, result.paths, result.labels, strict=True)
    ):
        if len(result.queries) > 1:
            print(one_line(str(query)))
        width = max(len(near_path(path)) for path in paths)
        for rank, (path, label) in enumerate(zip(paths, labels, strict=True), 1):
            value = f"{result.similarities[i, rank - 1]:6.3f}"
            print(f"{rank:3d}  {value}  {near_path(path):{width}}  {one_line(label)}".rstrip())


def values_of_duplicates(
    groups: "Sequence[DuplicateGroup]", index: "Index", threshold: float
) -> dict[str, Any]:
    """Gather groups of duplicates, for JSON."""
    return {
        "gallery": index.root,
        "images": len(index),
        "measure": "cosine",
        "threshold": threshold,
        "groups": [
            {
                "kind": "copies" if group.identical else "near-duplicates",
                "similarity": group.similarity,
                "across_classes": group.across_classes,
                "images": [
                    {"path": index.name(row), "class": index.labels[row]} for row in group.rows
                ],
            }
            for group in groups
        ],
    }


def print_csv(duplicates: Mapping[str, Any]) -> None:
    """Print the images of all groups of duplicates, a row each."""
    head = ("group", "kind", "similarity", "across_classes", "path", "class")
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(head)
    for number, group in enumerate(duplicates["groups"], 1):
        for image in group["images"]:
            cells = (group[name] for name in head[1:4])
            writer.writerow([number, *cells, image["path"], image["class"]])


def print_duplicates(duplicates: Mapping[str, Any]) -> None:
    """Print groups of duplicates, the first 50."""
    groups = duplicates["groups"]
    across = sum(group["across_classes"] for group in groups)
    print(
        f"groups of copies or near-duplicates (cosine from {duplicates['threshold']}) among "
        f"{duplicates['images']:,} images: {len(groups):,}; across classes: {across:,}"
    )
    for group in groups[:MOST_GROUPS]:
        kind = group["kind"] if group["kind"] == "copies" else f"cosine {group['similarity']:.3f}"
        print(f"\n{kind}{', across classes' if group['across_classes'] else ''}")
        for image in group["images"]:
            print(f"  {near_path(image['path'])}  {one_line(image['class'])}".rstrip())
    if len(groups) > MOST_GROUPS:
        print(f"\n{len(groups) - MOST_GROUPS:,} more: --json or --csv prints all")


def values_of_confusions(
    index: "Index",
    names: Mapping[int, str],
    recalls: "Sequence[ClassRecall]",
    pairs: "Sequence[Confusion]",
) -> dict[str, Any]:
    """Gather recall per class and confused classes, for JSON."""
    return {
        "gallery": index.root,
        "images": len(index),
        "measure": "cosine",
        "classes": [
            {"class": names[one.label], "images": one.images, "R@1": one.recall[1]}
            for one in recalls
        ],
        "confusions": [
            {
                "class": names[pair.label],
                "confused_with": names[pair.confused_with],
                "share": pair.share,
                "images": pair.count,
                "examples": [[index.name(row) for row in rows] for rows in pair.examples],
            }
            for pair in pairs
        ],
    }


def print_confusions(values: Mapping[str, Any], top: int) -> None:
    """Print the classes that are found worst, and the pairs that are confused most."""
    classes, pairs = values["classes"], values["confusions"]
    print(
        f"{values['images']:,} images of {len(classes):,} classes with two images or more; "
        f"each is searched among all others\n"
    )
    rows = [[c["class"], f"{100 * c['R@1']:.1f}", f"{c['images']:,}"] for c in classes[:top]]
    print(text_table(["found worst", "R@1, %", "images"], rows))
    rows = [
        [
            pair["class"],
            pair["confused_with"],
            f"{100 * pair['share']:.1f}",
            f"{pair['images']:,}",
            " → ".join(near_path(path) for path in pair["examples"][0]),
        ]
        for pair in pairs[:top]
    ]
    print()
    print(text_table(["class", "taken for", "share, %", "images", "for example"], rows))
