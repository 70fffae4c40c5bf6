"""The pages: a short README, live links, conclusions that stored runs bear out, plain words."""

import re
from pathlib import Path

import pytest
from helpers.glossary import replaced_words
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
RESULTS = ROOT / "notebooks" / "guide" / "results.md"
RELATIVES = RESULTS.with_name("where-this-sits.md")
PAPER = RESULTS.with_name("claims.md")
CLAIM = re.compile(r"<!-- claim: (.*?) -->", re.DOTALL)


def find_pages(root):
    """Every Markdown page of the repository, and none of what tools or users put beside them."""
    folders = (".github", "data", "notebooks", "recallkit", "tests")
    below = [path for folder in folders for path in (root / folder).rglob("*.md")]
    return sorted([*root.glob("*.md"), *(path for path in below if ".ipynb_" not in str(path))])


def without_fences(text):
    """The text without fenced blocks, in which # begins no heading."""
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def without_code(text):
    """The text without fenced blocks and inline code, in which brackets are no links."""
    return re.sub(r"`[^`\n]*`", "", without_fences(text))


def links_of(text):
    """Targets of links and images that do not lead to another host."""
    found = re.findall(r"\]\(([^)\s]+)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def anchors_of(text):
    """The anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", without_fences(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def is_alive(page, target):
    """Whether a file is where the link leads, and the heading in it that is named."""
    path, _, anchor = target.partition("#")
    file = (page.parent / path) if path else page
    return file.exists() and (not anchor or anchor in anchors_of(file.read_text(encoding="utf-8")))


def section_of(text, title):
    """The section with this heading, up to the next heading of its level."""
    pattern = rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)"
    section = re.search(pattern, text, re.DOTALL | re.MULTILINE)
    assert section, title
    return section[1]


def items_of(section):
    """The items of a numbered list, each with all its lines."""
    return [
        item.strip()
        for item in re.findall(r"^\d+\. .*?(?=^\S|\Z)", section, re.DOTALL | re.MULTILINE)
    ]


def claims_of(text):
    """The expressions of all claims, each in one line."""
    return [" ".join(claim.split()) for claim in CLAIM.findall(text)]


def rows_of(section):
    """The rows of a table, each a list of what a reader sees in its cells."""
    lines = [CLAIM.sub("", line) for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


PAGES = find_pages(ROOT)
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
CLAIMS = [
    pytest.param(claim, id=f"{page.stem}-{place}")
    for page in (README, RESULTS, RELATIVES, PAPER)
    for place, claim in enumerate(claims_of(page.read_text(encoding="utf-8")), 1)
]


def test_the_helpers_find_what_a_page_holds():
    text = '# A: b, c\n[x](y.md#z) ![i](http://h) <img src="p.png"> `[n](o)`\n'
    assert links_of(without_code(text)) == ["y.md#z", "p.png"]
    assert anchors_of(text) == {"a-b-c"}
    found = section_of("## T\n1. one\n   <!-- claim: 1\n   < 2 -->\n2. two\n\nend\n## U\n", "T")
    assert items_of(found) == ["1. one\n   <!-- claim: 1\n   < 2 -->", "2. two"]
    assert claims_of(found) == ["1 < 2"]
    assert rows_of("| a | b <!-- claim: c | d --> |\n") == [["a", "b"]]


def test_readme_is_short():
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
    assert [line for line in lines if len(line) > 120] == []


@each_page
def test_links_and_images_lead_somewhere(page):
    targets = links_of(without_code(page.read_text(encoding="utf-8")))
    assert [target for target in targets if not is_alive(page, target)] == []


@pytest.mark.parametrize("page", [README, RESULTS], ids=lambda page: page.stem)
def test_each_finding_is_followed_by_its_claim(page):
    items = items_of(section_of(page.read_text(encoding="utf-8"), "What we found"))
    assert len(items) >= (5 if page == README else 4)
    assert [item for item in items if len(claims_of(item)) != 1 or not item.endswith("-->")] == []


def test_findings_are_dated():
    found = section_of(README.read_text(encoding="utf-8"), "What we found")
    assert re.search(r"\b20\d\d-\d\d-\d\d\b", found)
    assert re.search(r"\b20\d\d-\d\d-\d\d\b", RESULTS.read_text(encoding="utf-8"))


@pytest.mark.parametrize("claim", CLAIMS)
def test_claims_hold_for_the_stored_runs(claim):
    from recallkit.experiments import contrasts, verdict
    from recallkit.studies import study_verdicts

    names = {"verdict": verdict, "study_verdicts": study_verdicts, "contrasts": contrasts}
    assert re.search(r"verdicts?\(", claim)
    assert eval(claim, names) is True


def test_the_table_of_the_papers_claims_can_be_read():
    rows = rows_of(section_of(RESULTS.read_text(encoding="utf-8"), "Against the paper"))
    assert len(rows) > 2
    assert max(len(row) for row in rows) <= 5
    assert [cell for row in rows for cell in row if len(cell) > 120] == []


def test_each_row_of_that_table_has_a_claim():
    section = section_of(RESULTS.read_text(encoding="utf-8"), "Against the paper")
    rows = [line for line in section.splitlines() if line.startswith("|")][2:]
    assert [row for row in rows if len(claims_of(row)) != 1] == []


def test_each_claim_of_the_paper_has_a_figure_a_table_and_a_dated_sentence_with_its_claim():
    text = PAPER.read_text(encoding="utf-8")
    sections = re.findall(r"^## (.+)$", text, re.MULTILINE)[1:]
    assert len(sections) == 5
    for section in (section_of(text, title) for title in sections):
        [alt, name] = re.search(
            r"!\[([^\]]{40,})\]\(figures/(claim-[\w-]+)\.png\)", section
        ).groups()
        assert f"<!-- begin {name} -->" in section
        verdicts = r"\*\*\d+ \w+ 20\d\d: (agrees|differs|could not be told)[^*]*\.\*\* "
        assert len(re.findall(verdicts, section)) == len(claims_of(section)) == 1, alt
        assert section.rstrip().endswith("-->")


@each_page
def test_words_are_those_of_the_glossary(page):
    if page.name == "LICENSES.md":
        return  # quotes
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"<!-- glossary -->.*?<!-- end of glossary -->", "", text, flags=re.DOTALL)
    assert replaced_words(text) == []


def test_figures_of_the_readme_are_sharp_on_a_screen_with_twice_the_dots():
    shown = re.findall(r'<img src="([^"]+)" width="(\d+)"', README.read_text())
    assert len(shown) >= 2
    for name, width in shown:
        with Image.open(ROOT / name) as image:
            assert image.width >= 1.5 * int(width), name
