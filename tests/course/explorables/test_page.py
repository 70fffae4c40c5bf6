"""A part of a page: what is text stays text, and several live side by side."""

import pytest

from recallkit.course.explorables.page import fragment, page

MODULE = "const a = 1;\nexport default { render({ model, el }) { el.textContent = a; } };\n"


def test_text_cannot_end_the_script():
    part = fragment(MODULE, {"words": {"title": "</script><!-- <script>alert(1)"}}, "one")
    assert part.count("</") == 2
    assert "<!--" not in part


def test_each_has_its_element_and_scope():
    parts = [fragment(MODULE, {"k": k}, f"figure-{k}") for k in (1, 2)]
    assert 'id="figure-1"' in parts[0]
    assert 'getElementById("figure-2")' in parts[1]
    assert all('<script type="module">' in part for part in parts)
    whole = page("a", "\n".join(parts))
    assert whole.count("<body>") == 1
    assert all(part in whole for part in parts)


@pytest.mark.parametrize(
    ("module", "values", "message"),
    [
        ("const a = 1;", {}, "export default"),
        (MODULE, {"loss": float("nan")}, "finite"),
    ],
)
def test_what_no_page_can_hold_is_refused(module, values, message):
    with pytest.raises(ValueError, match=message):
        fragment(module, values, "one")
