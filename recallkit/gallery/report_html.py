"""A report as one page of HTML that needs nothing else: no network, no script, no other file."""

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from torch import Tensor

from recallkit.gallery.report import Report, WorstCase
from recallkit.gallery.thumbnails import data_url

__all__ = ["is_report", "report_page", "shown"]

_GENERATOR = '<meta name="generator" content="recallkit report">'

MOST_CLASSES, MOST_PAIRS, MOST_GROUPS, MOST_OF_GROUP = 50, 10, 12, 6  # that the page shows

ReadImage = Callable[[int], Tensor | None]

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --soft: #5a5a5a; --paper: #fff; --line: #d8d8d8;
  --bar: #0072b2; --rest: #e4e4e4; --wrong: #b34700; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececec; --soft: #a9a9a9; --paper: #161616;
  --line: #3a3a3a; --bar: #56b4e9; --rest: #333; --wrong: #ff9a4d; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; font: 16px/1.5 system-ui, sans-serif;
  color: var(--ink); background: var(--paper); overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.2; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
p, li, td, th, dd { overflow-wrap: anywhere; } .soft { color: var(--soft); }
.numbers { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 1rem 0; padding: 0; }
.numbers div { display: flex; flex-direction: column-reverse; }
.numbers dt { color: var(--soft); font-size: .85rem; }
.numbers dd { margin: 0; font-size: 1.7rem; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .2rem .6rem .2rem 0; border-bottom: 1px solid var(--line);
  vertical-align: middle; } th { font-weight: 600; font-size: .85rem; color: var(--soft); }
td.number, th.number { text-align: right; white-space: nowrap; overflow-wrap: normal;
  font-variant-numeric: tabular-nums; }
td.bar { width: 40%; padding-right: 0; } td.bar div { background: var(--rest); height: .7rem; }
td.bar div div { background: var(--bar); }
section.case { border-top: 1px solid var(--line); padding: .8rem 0; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(21rem, 100%), 1fr)); }
section.case p { margin: 0 0 .5rem; }
ul.images { display: flex; flex-wrap: wrap; gap: .8rem; margin: 0; padding: 0; list-style: none; }
ul.images li { width: 104px; font-size: .8rem; line-height: 1.3; }
ul.images.pairs li { width: auto; max-width: 216px; display: flex; gap: .4rem; }
img, .gone { display: block; width: 96px; height: 96px; margin-bottom: .25rem; background: #fff;
  object-fit: contain; border: 1px solid var(--line); border-radius: 4px; }
.gone { color: #5a5a5a; font-size: .75rem; padding: .4rem; }
.wrong { color: var(--wrong); }
@media (max-width: 480px) { td.bar { width: 28%; } .numbers dd { font-size: 1.4rem; } }
"""


def report_page(
    report: Report,
    read: ReadImage,
    title: str,
    facts: Mapping[str, str],
    notes: Sequence[str] = (),
    table: str = "",
) -> str:
    """Make the page of a report.

    Args:
        report: what is told.
        read: the image of a row of the index, None if it is not there any more.
        title: of the page.
        facts: name → text, about the run.
        notes: what was used and left out, a sentence each.
        table: name of the file that holds recall per class; "" if there is none.

    Returns:
        A whole HTML document that contains its images. All names are escaped.
    """
    sections = [
        _headline(report),
        _classes(report, table),
        _confusions(report, read),
        _worst(report, read),
        _duplicates(report, read),
        _data(facts, notes),
    ]
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{_GENERATOR}
<title>{shown(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{shown(title)}</h1>
{"".join(sections)}</body>
</html>
"""


def is_report(path: Path) -> bool:
    """Tell whether a file is a page of :func:`report_page`."""
    with path.open("rb") as file:
        return _GENERATOR.encode() in file.read(1000)


def shown(name: str) -> str:
    """Return a name as text of a page: no tag, no turn of direction outside, no lone surrogate."""
    kept = "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in ("Cc", "Cs") else c for c in name
    )
    return f"<bdi>{escape(kept, quote=True)}</bdi>"


def _plain(name: str) -> str:
    """Return a name as the value of an attribute."""
    return shown(name).removeprefix("<bdi>").removesuffix("</bdi>")


def _percent(value: float) -> str:
    return f"{100 * value:.1f}\N{NO-BREAK SPACE}%"


def _headline(report: Report) -> str:
    retrieval, index = report.retrieval, report.index
    numbers = "".join(
        f"<div><dt>{name}</dt><dd>{_percent(value)}</dd></div>"
        for name, value in retrieval.metrics.items()
        if name not in ("P@1", "mAP")
    )
    left_out = retrieval.queries - retrieval.counted
    rest = (
        f" {left_out:,} images are the only one of their class: nothing can be found for them, so "
        f"they are left out of the means, but they can be found."
        if left_out
        else " No image is left out of the means."
    )
    return (
        f'<dl class="numbers">{numbers}</dl>\n'
        f"<p>Measured on the <strong>test split</strong>: {retrieval.counted:,} queries of "
        f"{retrieval.classes:,} classes, each searched by the <strong>cosine</strong> among all "
        f"{len(index) - 1:,} other test images. R@k is the share of queries with an image of their "
        f"class among the k nearest. mAP@R is the mean precision within the first R places, R the "
        f"number of other images of the class.{rest}</p>\n"
    )


def _classes(report: Report, table: str) -> str:
    all_right = sum(one.recall[1] == 1 for one in report.classes)
    rows = "".join(
        f"<tr><td>{shown(report.names[one.label])}</td>"
        f'<td class="number">{one.images:,}</td><td class="number">{_percent(one.recall[1])}</td>'
        f'<td class="bar"><div><div style="width: {100 * one.recall[1]:.1f}%"></div></div></td>'
        f"</tr>\n"
        for one in report.classes[:MOST_CLASSES]
    )
    more = len(report.classes) - MOST_CLASSES
    where = f" All classes are in {shown(table)}, beside this page." if table else ""
    return (
        f"<h2>Recall per class, worst first</h2>\n"
        f"<p>{all_right:,} of {len(report.classes):,} classes have an R@1 of {_percent(1)}."
        f"{where}</p>\n"
        f'<table><thead><tr><th>class</th><th class="number">images</th>'
        f'<th class="number">R@1</th><th aria-hidden="true"></th></tr></thead>\n'
        f"<tbody>{rows}</tbody></table>\n"
        + (f'<p class="soft">and {more:,} more</p>\n' if more > 0 else "")
    )


def _confusions(report: Report, read: ReadImage) -> str:
    cases = ""
    for pair in report.confusions[:MOST_PAIRS]:
        images = "".join(
            f"<li>{_image(report, read, query)}{_image(report, read, nearest)}</li>"
            for query, nearest in pair.examples
        )
        cases += _case(
            f"<strong>{shown(report.names[pair.label])}</strong> taken for "
            f"<strong>{shown(report.names[pair.confused_with])}</strong>: {pair.count:,} of its "
            f"images ({_percent(pair.share)})",
            f'<ul class="images pairs">{images}</ul>',
        )
    note = "<p>Of each pair of images the left one is the query, the right one came first.</p>"
    return _section(
        "Classes that are confused most",
        cases and f"{note}\n{cases}",
        "None.",
        len(report.confusions) - MOST_PAIRS,
    )


def _worst(report: Report, read: ReadImage) -> str:
    cases = "".join(_worst_case(report, read, case) for case in report.worst)
    return _section(
        "Worst cases: the nearest image of the class is far down",
        cases and f'<div class="grid">{cases}</div>',
        "None: every query finds its class first.",
        0,
    )


def _worst_case(report: Report, read: ReadImage, case: WorstCase) -> str:
    first, own = case.similarities
    captions = [
        (case.query, "query"),
        (case.nearest, f'<span class="wrong">came first</span>, {first:.3f}'),
        (case.positive, f"its class, at place {case.rank:,}, {own:.3f}"),
    ]
    images = "".join(
        f"<li>{_image(report, read, row)}{caption}: {_name(report, row)}</li>"
        for row, caption in captions
    )
    return _case("", f'<ul class="images">{images}</ul>')


def _duplicates(report: Report, read: ReadImage) -> str:
    title = "Nearly the same image in different classes"
    if report.duplicates is None:
        return _section(
            title, "", "Too many to list: the network hardly tells the images apart.", 0
        )
    cases = ""
    for group in report.duplicates[:MOST_GROUPS]:
        images = "".join(
            f"<li>{_image(report, read, row)}{_name(report, row)}</li>"
            for row in group.rows[:MOST_OF_GROUP]
        )
        more = len(group.rows) - MOST_OF_GROUP
        kind = "copies of one file" if group.identical else f"cosine from {group.similarity:.3f}"
        cases += _case(
            f"{len(group.rows):,} images, {kind}{f'; {more:,} are not shown' * (more > 0)}",
            f'<ul class="images">{images}</ul>',
        )
    return _section(title, cases, "None.", len(report.duplicates) - MOST_GROUPS)


def _data(facts: Mapping[str, str], notes: Iterable[str]) -> str:
    rows = "".join(
        f"<tr><th>{shown(name)}</th><td>{shown(text)}</td></tr>\n" for name, text in facts.items()
    )
    said = "".join(f"<p>{shown(note)}</p>\n" for note in notes)
    return f"<h2>What was used and left out</h2>\n{said}<table><tbody>{rows}</tbody></table>\n"


def _section(title: str, cases: str, nothing: str, more: int) -> str:
    rest = f'<p class="soft">and {more:,} more</p>\n' if more > 0 else ""
    return f"<h2>{title}</h2>\n{cases or f'<p>{nothing}</p>'}\n{rest}"


def _case(text: str, images: str) -> str:
    head = f"<p>{text}</p>" if text else ""
    return f'<section class="case">{head}{images}</section>\n'


def _name(report: Report, row: int) -> str:
    """Name the class of an image, and its file."""
    index = report.index
    path = index.paths[row].removeprefix(f"{index.labels[row]}/")
    return f'<strong>{shown(index.labels[row])}</strong> <span class="soft">{shown(path)}</span>'


def _image(report: Report, read: ReadImage, row: int) -> str:
    name = _plain(f"{report.index.labels[row]}: {report.index.paths[row]}")
    image = read(row)
    if image is None:
        return f'<span class="gone">the image cannot be read any more: {name}</span>'
    return f'<img src="{data_url(image)}" alt="{name}" width="96" height="96">'
