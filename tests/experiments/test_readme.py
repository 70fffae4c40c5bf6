"""README says what the stored results say."""

import pytest

from recallkit.experiments import readme


def test_readme_is_what_the_stored_results_give():
    text = (readme.ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.filled(text) == text


def test_a_missing_block_is_named():
    with pytest.raises(ValueError, match="the block 'first-light' once, not 0 times"):
        readme.filled("nothing")
