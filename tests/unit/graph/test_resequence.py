import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.graph.resequence import Resequencer


@pytest.fixture
def outcomes():
    outcomes = Resequencer()
    outcomes.begin("cam", epoch=1, first_seq=0)
    return outcomes


def test_an_outcome_waits_for_those_before_it(outcomes):
    assert outcomes.accept("cam", 1, 2, "c") == []
    assert outcomes.accept("cam", 1, 1, "b") == []
    assert outcomes.pending("cam") == 2
    assert outcomes.accept("cam", 1, 0, "a") == ["a", "b", "c"]
    assert (outcomes.pending("cam"), outcomes.next_seq("cam")) == (0, 3)


def test_a_stream_does_not_wait_for_another(outcomes):
    outcomes.begin("file", epoch=1, first_seq=0)
    assert outcomes.accept("cam", 1, 1, "late") == []
    assert outcomes.accept("file", 1, 0, "at once") == ["at once"]


def test_a_duplicate_is_turned_away_whether_the_first_was_released_or_waits(outcomes):
    outcomes.accept("cam", 1, 0, "a")
    outcomes.accept("cam", 1, 2, "c")
    assert outcomes.accept("cam", 1, 0, "again") is None
    assert outcomes.accept("cam", 1, 2, "again") is None
    assert outcomes.duplicates == 2
    assert outcomes.accept("cam", 1, 1, "b") == ["b", "c"]


def test_a_new_epoch_waits_for_the_numbers_of_the_old_one(outcomes):
    outcomes.accept("cam", 1, 0, "a")
    outcomes.begin("cam", epoch=4, first_seq=2)
    assert outcomes.accept("cam", 4, 2, "c") == []
    assert outcomes.accept("cam", 1, 1, "b") == ["b", "c"]


def test_epochs_without_a_frame_of_their_own_hold_up_nothing(outcomes):
    outcomes.begin("cam", epoch=2, first_seq=0)
    outcomes.begin("cam", epoch=3, first_seq=0)
    assert outcomes.accept("cam", 2, 0, "of an empty epoch") is None
    assert outcomes.accept("cam", 3, 0, "a") == ["a"]


def test_an_outcome_of_an_epoch_that_does_not_hold_its_number_is_turned_away(outcomes):
    outcomes.begin("cam", epoch=2, first_seq=2)
    assert outcomes.accept("cam", 1, 2, "number of the next epoch") is None
    assert outcomes.accept("cam", 2, 1, "number of the last epoch") is None
    assert outcomes.accept("cam", 0, 0, "of an epoch before all") is None
    assert outcomes.duplicates == 3


def test_an_outcome_of_an_epoch_that_has_not_begun_is_an_error(outcomes):
    with pytest.raises(ValueError, match="cam: epoch 2 has not begun"):
        outcomes.accept("cam", 2, 0, "too early")


def test_an_epoch_must_be_newer_than_the_last(outcomes):
    with pytest.raises(ValueError, match="epoch 1 cannot follow epoch 1"):
        outcomes.begin("cam", epoch=1, first_seq=0)


def test_an_epoch_cannot_start_at_a_number_that_has_an_outcome(outcomes):
    outcomes.accept("cam", 1, 0, "a")
    outcomes.accept("cam", 1, 2, "c")
    for first_seq in (0, 1, 2):
        with pytest.raises(ValueError, match="epoch 2 cannot start at"):
            outcomes.begin("cam", epoch=2, first_seq=first_seq)
    outcomes.begin("cam", epoch=2, first_seq=3)


def test_an_epoch_cannot_start_before_the_last_one(outcomes):
    outcomes.begin("cam", epoch=2, first_seq=9)
    with pytest.raises(ValueError, match="epoch 3 cannot start at 8"):
        outcomes.begin("cam", epoch=3, first_seq=8)


def test_a_stream_is_complete_when_all_its_numbers_are_released(outcomes):
    outcomes.accept("cam", 1, 1, "b")
    outcomes.end("cam", count=2)
    assert not outcomes.is_complete("cam")
    outcomes.accept("cam", 1, 0, "a")
    assert outcomes.is_complete("cam")


def test_a_stream_that_is_told_no_end_is_never_complete(outcomes):
    outcomes.accept("cam", 1, 0, "a")
    assert not outcomes.is_complete("cam")


def test_a_new_epoch_takes_the_end_back(outcomes):
    outcomes.end("cam", count=0)
    outcomes.begin("cam", epoch=2, first_seq=0)
    assert not outcomes.is_complete("cam")


def test_what_comes_after_a_stream_was_forgotten_counts_as_duplicate(outcomes):
    outcomes.accept("cam", 1, 1, "b")
    outcomes.forget("cam")
    assert outcomes.accept("cam", 1, 0, "a") is None
    assert outcomes.duplicates == 1
    outcomes.forget("cam")


def test_a_forgotten_stream_can_begin_again_anywhere(outcomes):
    outcomes.accept("cam", 1, 1, "b")
    outcomes.forget("cam")
    outcomes.begin("cam", epoch=1, first_seq=7)
    assert outcomes.accept("cam", 1, 7, "h") == ["h"]


@pytest.mark.parametrize(
    "ask",
    [
        lambda outcomes: outcomes.pending("door"),
        lambda outcomes: outcomes.next_seq("door"),
        lambda outcomes: outcomes.is_complete("door"),
        lambda outcomes: outcomes.end("door", count=1),
    ],
)
def test_a_question_about_a_stream_that_is_not_there_is_an_error(outcomes, ask):
    with pytest.raises(ValueError, match="no stream 'door' has begun"):
        ask(outcomes)


@st.composite
def deliveries(draw):
    """Draw streams by the lengths of their epochs, and their outcomes in any order, some twice.

    An epoch is begun some time before the first of its outcomes, and after those before it.
    """
    lengths = draw(
        st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=4), min_size=1, max_size=3)
    )
    events = []
    for stream, epochs in enumerate(lengths):
        for epoch, length in enumerate(epochs):
            first_seq = sum(epochs[:epoch])
            frames = [(stream, epoch, first_seq + index) for index in range(length)]
            copies = draw(st.lists(st.sampled_from(frames), max_size=3)) if frames else []
            events.append((epoch, "begin", (stream, epoch, first_seq)))
            events += [(draw(st.floats(epoch, 9)), "come", frame) for frame in frames + copies]
    return lengths, sorted(events)


@given(deliveries())
def test_any_order_with_any_duplicates_comes_out_in_order_and_once(delivery):
    lengths, events = delivery
    outcomes = Resequencer()
    released, came = [], 0
    for _, what, (stream, epoch, seq) in events:
        if what == "begin":
            outcomes.begin(str(stream), epoch=epoch, first_seq=seq)
        else:
            came += 1
            released += outcomes.accept(str(stream), epoch, seq, (stream, epoch, seq)) or []
    for stream, epochs in enumerate(lengths):
        numbers = [seq for of, _, seq in released if of == stream]
        assert numbers == list(range(sum(epochs)))
        outcomes.end(str(stream), count=sum(epochs))
        assert outcomes.is_complete(str(stream))
        assert outcomes.pending(str(stream)) == 0
    assert outcomes.duplicates == came - len(released)
