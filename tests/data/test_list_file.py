"""A list file, as spreadsheets, pandas and people write them."""

import pytest

from recallkit.data.list_file import read_list
from recallkit.errors import RecallkitError


@pytest.fixture
def write(tmp_path):
    (tmp_path / "images").mkdir()
    for name in ("a", "b", "c d"):
        (tmp_path / "images" / f"{name}.jpg").touch()

    def make(text, encoding="utf-8"):
        (tmp_path / "list.csv").write_bytes(text.encode(encoding))
        return tmp_path / "list.csv"

    return make


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_usual_way_of_writing(write, encoding, separator, newline):
    rows = ["path,label", "images/a.jpg,007", "images/b.jpg, é ", ",", "images/c d.jpg,7", ""]
    text = newline.join(rows).replace(",", separator)
    images = read_list(write(text, encoding))
    assert images.classes == ("007", "é", "7")  # text: 007 is not 7
    assert [path.name for path in images.paths] == ["a.jpg", "b.jpg", "c d.jpg"]
    assert images.parts == images.queries == images.groups == ()


def test_columns_in_any_order_and_quotes(write):
    text = 'Label , note,"Path"\n"a, b",x,"images/a.jpg"\nNA,y,images\\b.jpg\n'
    images = read_list(write(text))
    assert images.classes == ("a, b", "NA")
    assert [path.name for path in images.paths] == ["a.jpg", "b.jpg"]
    assert images.notes == ("columns that are not used: 'note'",)


def test_splits_queries_and_groups(write):
    text = "path,label,split,is_query,group\nimages/a.jpg,x,Train,,\nimages/b.jpg,x,VAL,no,1\n"
    text += "images/c d.jpg,y,test,True,é\n"
    images = read_list(write(text))
    assert images.parts == ("train", "validation", "test")
    assert images.queries == (False, False, True)
    assert images.groups == ("", "1", "é")


def test_absolute_paths(write, tmp_path):
    images = read_list(write(f"path,label\n{tmp_path / 'images' / 'a.jpg'},x\n"))
    assert images.paths == (tmp_path / "images" / "a.jpg",)


def test_a_name_may_begin_with_a_tilde(write, tmp_path):
    (tmp_path / "~a.jpg").touch()
    assert read_list(write("path,label\n~a.jpg,x\n")).paths == (tmp_path / "~a.jpg",)


def test_images_that_are_not_there(write):
    file = write("path,label\nimages/a.jpg,x\nimages/gone.jpg,x\nimages/b.jpg,y\nimages,y\n")
    with pytest.raises(
        RecallkitError, match=r"2 images of .*row 3: images/gone.jpg; row 5: images\)"
    ):
        read_list(file)
    images = read_list(file, skip_missing=True)
    assert images.classes == ("x", "y")
    assert images.left_out == ("2 images that are not there",)


HEAD = "path,label,split,is_query\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read as a list"),
        ("image,class\nimages/a.jpg,x\n", "no column path and no column label"),
        ("path,label\n", "lists no image"),
        ("path,label\nimages/a.jpg,\nimages/b.jpg,x\n", "no label in row 2"),
        (
            "path,label\nimages/a.jpg,nan\nimages/b.jpg,None\n",
            r"no label in 2 rows \(2, 3\) \(missing is also: 'None', 'nan'\): fill",
        ),
        ("path,label\n,x\n\n,y\nimages/b.jpg,x\n", r"no path in 2 rows \(2, 4\)"),
        ("path,label\nimages/a.jpg,x\nimages/a.jpg,y\n", r"lists images twice: row 3"),
        ("path,label\nimages/a.jpg,x\n./images/a.jpg,x\n", r"lists images twice: row 3"),
        ("path,label\nimages/a.jpg,x\nimages/../images/a.jpg,x\n", r"images twice: row 3"),
        (f"{HEAD}images/a.jpg,x,train,\nimages/b.jpg,x,,\n", r"no split that is known in row 3"),
        (f"{HEAD}images/a.jpg,x,train,\nimages/b.jpg,x,dev,\n", r"row 3, the first is 'dev'"),
        (f"{HEAD}images/a.jpg,x,test,perhaps\n", r"is_query must be 1 or 0.*row 2.*'perhaps'"),
        ("path,label\nimages/a.jpg,Cat\nimages/b.jpg,cat\n", "duplicate classes"),
        ("path,label,label\nimages/a.jpg,x,y\n", "two columns label"),
    ],
)
def test_what_is_wrong_is_named_by_row(write, text, message):
    with pytest.raises(RecallkitError, match=message):
        read_list(write(text))


def test_other_bytes_are_refused(write):
    with pytest.raises(RecallkitError, match="Save it as CSV in UTF-8"):
        read_list(write("path,label\nimages/a.jpg,caf\xe9\n", "latin-1"))
