"""A viewer gets the newest picture of each feed when it is ready, and never a queue."""

import asyncio

from sightline.live.feed import Feed
from sightline.live.viewer import Viewer

TIMEOUT_S = 10


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, TIMEOUT_S))


async def settle():
    """Let all tasks run until each of them waits."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_viewer_that_was_busy_skips_to_the_newest_picture(feed, make_frame):
    async def watch():
        with Viewer([feed]) as slow, Viewer([feed]) as quick:
            slow_pictures, quick_pictures = slow.pictures(), quick.pictures()
            numbers = []
            for seq in range(4):
                taken = [asyncio.ensure_future(anext(quick_pictures))]
                if seq == 0:
                    taken.append(asyncio.ensure_future(anext(slow_pictures)))
                await settle()
                feed.put(make_frame(seq, value=seq * 60), float(seq))
                numbers += await asyncio.gather(*taken)
            newest = await anext(slow_pictures)
        return numbers, newest

    taken, newest = run(watch())
    assert len(taken) == 5
    assert newest == taken[-1]


def test_pictures_of_several_feeds_come_with_their_position(stream, make_frame):
    feeds = [Feed(stream) for _ in range(3)]

    async def watch():
        with Viewer(feeds) as viewer:
            pictures = viewer.pictures()
            first = asyncio.ensure_future(anext(pictures))
            await settle()
            for feed in feeds:
                feed.put(make_frame(0), 0.0)
            return [(await first)[0], (await anext(pictures))[0], (await anext(pictures))[0]]

    assert sorted(run(watch())) == [0, 1, 2]


def test_a_busy_viewer_wants_nothing(feed, make_frame):
    async def watch():
        with Viewer([feed]) as viewer:
            pictures = viewer.pictures()
            first = asyncio.ensure_future(anext(pictures))
            await settle()
            for seq in range(100):
                feed.put(make_frame(seq), float(seq))
            await first
            for seq in range(100, 200):
                feed.put(make_frame(seq), float(seq))
        return feed.number

    assert run(watch()) == 1


def test_pictures_end_with_the_last_feed(stream):
    feeds = [Feed(stream), Feed(stream)]

    async def watch():
        with Viewer(feeds) as viewer:
            rest = asyncio.ensure_future(collect(viewer))
            for feed in feeds:
                await settle()
                assert not rest.done()
                await asyncio.to_thread(feed.end)
            return await rest

    async def collect(viewer):
        return [picture async for picture in viewer.pictures()]

    assert run(watch()) == []


def test_viewers_are_counted_while_they_watch(feed):
    async def watch():
        with Viewer([feed]), Viewer([feed]):
            return feed.describe(0.0)["viewers"]

    assert run(watch()) == 2
    assert feed.describe(0.0)["viewers"] == 0
