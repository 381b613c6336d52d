import pytest

from sightline.detect.class_names import (
    COCO_80,
    COCO_91,
    class_ids,
    default_names,
    names_in,
    parse_names,
    read_names,
)
from sightline.errors import ModelError


def test_the_coco_names_are_at_their_known_places():
    assert (len(COCO_80), len(COCO_91)) == (80, 91)
    assert [COCO_80[i] for i in (0, 2, 7, 79)] == ["person", "car", "truck", "toothbrush"]
    assert [COCO_91[i] for i in (1, 3, 44, 90)] == ["person", "car", "bottle", "toothbrush"]
    assert COCO_91[12] == "12"


def test_only_the_numbers_of_classes_of_coco_have_default_names():
    assert default_names(80) is COCO_80
    assert default_names(91) is COCO_91
    assert default_names(20) == default_names(None) == ()


@pytest.mark.parametrize(
    "text",
    [
        "{0: 'cat', 1: 'dog'}",
        '{"0": "cat", "1": "dog"}',
        '["cat", "dog"]',
        "('cat', 'dog')",
        "- cat\n- dog\n",
        "0: cat\n1: dog\n",
        "names:\n  0: cat\n  1: dog\n",
    ],
)
def test_names_are_read_from_python_json_and_yaml(text):
    assert parse_names(text) == ("cat", "dog")


@pytest.mark.parametrize("text", ["", "3", "cat", "{-1: 'cat'}", "{'a': 'cat'}", "[]", "{", "{}"])
def test_text_that_holds_no_names_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_names(text)


def test_names_in_metadata_that_make_no_sense_are_an_error():
    assert names_in({"names": "['cat']"}) == ("cat",)
    assert names_in({}) == ()
    with pytest.raises(ModelError, match="metadata"):
        names_in({"names": "cat"})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("names.txt", "cat\n\n  dog \n"),
        ("classes.names", "cat\ndog"),
        ("names.json", '["cat", "dog"]'),
        ("data.yaml", "names: [cat, dog]"),
    ],
)
def test_a_file_of_names_is_read_as_its_extension_says(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)

    assert read_names(path) == ("cat", "dog")


@pytest.mark.parametrize(("name", "text"), [("a.txt", " \n"), ("a.json", "{"), ("a.yaml", "7")])
def test_a_file_without_names_is_an_error_that_names_it(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)

    with pytest.raises(ModelError, match=name):
        read_names(path)


def test_a_missing_file_of_names_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ModelError, match=r"absent\.txt"):
        read_names(tmp_path / "absent.txt")


def test_classes_are_found_by_name_and_by_number():
    assert class_ids(["person", 2, "7"], COCO_80) == {0, 2, 7}
    assert class_ids([5], ()) == {5}


@pytest.mark.parametrize(
    ("entry", "names", "message"),
    [
        ("persn", COCO_80, "did you mean person"),
        ("zeppelin", ("cat", "dog"), "it knows cat, dog"),
        (80, COCO_80, "no class 80"),
        (-1, (), "-1"),
        ("cat", (), "does not name its classes"),
    ],
)
def test_an_unknown_class_is_an_error_that_helps(entry, names, message):
    with pytest.raises(ModelError, match=message):
        class_ids([entry], names)
