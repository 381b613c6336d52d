from sightline.jobs.states import TaskKind
from sightline.jobs.worker_channel import Word, channel_pair


def test_words_arrive_whole_and_in_order():
    ours, theirs = channel_pair()
    theirs.send(Word.READY)
    theirs.send(Word.NEWS, [TaskKind.CHUNK, TaskKind.FINAL])
    assert ours.take() == [
        (Word.READY, frozenset()),
        (Word.NEWS, frozenset({TaskKind.CHUNK, TaskKind.FINAL})),
    ]
    assert ours.take() == []
    assert not ours.is_closed
    ours.close()
    theirs.close()


def test_an_end_tells_that_the_other_is_gone_after_what_that_one_said_last():
    ours, theirs = channel_pair()
    theirs.send(Word.IDLE)
    theirs.close()
    assert ours.take() == [(Word.IDLE, frozenset())]
    assert ours.is_closed
    ours.send(Word.WAKE)
    ours.close()


def test_nobody_is_kept_waiting_who_speaks_to_somebody_who_does_not_listen():
    ours, theirs = channel_pair()
    for _ in range(10_000):
        ours.send(Word.WAKE)
    assert set(theirs.take()) == {(Word.WAKE, frozenset())}
    ours.close()
    theirs.close()


def test_a_word_ends_the_waiting():
    ours, theirs = channel_pair()
    theirs.send(Word.STOP)
    ours.wait(3600)
    ours.close()
    theirs.close()
