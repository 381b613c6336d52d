"""Errors that cross the border of a process."""

import pickle

from sightline.errors import GraphError
from sightline.graph.telling import error_of, told_of


def test_a_class_that_the_script_hides_from_other_processes_is_told_with_what_to_do():
    try:
        pickle.loads(b"c__main__\nNobodyHasThis\n.")
    except AttributeError as error:
        told = told_of(error)

    assert told.message.startswith("AttributeError: Can't get attribute 'NobodyHasThis'")
    assert told.message.endswith(
        "do not find 'NobodyHasThis' in it: define it in a module, or above "
        '`if __name__ == "__main__":`'
    )
    assert isinstance(error_of(told), GraphError)


def test_another_error_is_told_as_it_is():
    assert told_of(AttributeError("no attribute")).message == "AttributeError: no attribute"
