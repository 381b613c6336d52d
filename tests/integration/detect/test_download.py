import hashlib
import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sightline.detect.download import Patience, cached_path, fetch_model
from sightline.errors import DownloadError
from sightline.settings import Settings

HASTY = Patience(connect_timeout_s=5, read_timeout_s=0.3, lock_timeout_s=0.3)


@pytest.fixture
def settings(tmp_path):
    return Settings(cache_dir=tmp_path / "cache")


def test_a_file_is_fetched_once_and_then_taken_from_the_cache(serve, content, entry_for, settings):
    server = serve(content)
    entry = entry_for(content, server)

    path = fetch_model(entry, settings=settings)

    assert path == cached_path(entry, settings)
    assert path.read_bytes() == content
    assert fetch_model(entry, settings=settings) == path
    assert len(server.requests) == 1
    assert not path.with_name("model.onnx.part").exists()


def test_progress_is_told_up_to_the_full_size(serve, content, entry_for, settings):
    told = []

    fetch_model(
        entry_for(content, serve(content)),
        settings=settings,
        progress=lambda done, total: told.append((done, total)),
    )

    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (len(content), len(content))


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_connection_is_taken_up_again(serve, content, entry_for, settings, ranges):
    server = serve(content, ranges=ranges, break_after=[100_000, 50_000])

    path = fetch_model(entry_for(content, server), settings=settings)

    assert path.read_bytes() == content
    assert [asked for _, asked in server.requests][:2] == [None, "bytes=100000-"]
    assert len(server.requests) == 3


def test_what_arrived_is_kept_for_the_next_call(serve, content, entry_for, settings):
    server = serve(content, break_after=[100_000, 50_000, 30_000])
    entry = entry_for(content, server)
    with pytest.raises(DownloadError, match="peer closed connection"):
        fetch_model(entry, settings=settings)

    path = fetch_model(entry, settings=settings)

    assert path.read_bytes() == content
    assert server.requests[-1][1] == "bytes=180000-"


def test_a_wrong_file_is_deleted_and_both_digests_are_told(serve, content, entry_for, settings):
    wrong = content[:-1] + b"?"
    entry = entry_for(content, serve(wrong))

    with pytest.raises(DownloadError) as caught:
        fetch_model(entry, settings=settings)

    assert hashlib.sha256(wrong).hexdigest() in str(caught.value)
    assert entry.sha256 in str(caught.value)
    assert list(settings.cache_dir.rglob("*.onnx*")) == [
        cached_path(entry, settings).with_name("model.onnx.lock")
    ]


def test_a_damaged_beginning_does_not_spoil_the_url(serve, content, entry_for, settings):
    entry = entry_for(content, serve(content))
    part = cached_path(entry, settings).with_name("model.onnx.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"damaged" * 100)

    assert fetch_model(entry, settings=settings).read_bytes() == content


@pytest.mark.parametrize("size", [300_000, 300_001])
def test_a_leftover_of_full_size_or_more_is_replaced(serve, content, entry_for, settings, size):
    entry = entry_for(content, serve(content))
    part = cached_path(entry, settings).with_name("model.onnx.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(size))

    assert fetch_model(entry, settings=settings).read_bytes() == content


@pytest.mark.parametrize(
    ("served", "declare_length", "message"),
    [
        (b"<html>log in</html>", True, "it offers a file of 19 bytes, not 300000"),
        (b"<html>log in</html>", False, "the file is wrong: it has 19 bytes, not 300000"),
        (bytes(400_000), True, "it offers a file of 400000 bytes"),
        (bytes(400_000), False, "it sends more than 300000 bytes"),
    ],
)
def test_a_page_in_place_of_the_file_is_noticed_and_the_next_mirror_tried(
    serve, content, entry_for, settings, served, declare_length, message
):
    bad = serve(served, declare_length=declare_length)
    with pytest.raises(DownloadError, match=message):
        fetch_model(entry_for(content, bad), settings=settings)

    path = fetch_model(entry_for(content, bad, serve(content)), settings=settings)

    assert path.read_bytes() == content


def test_a_mirror_that_has_another_file_does_not_spoil_what_arrived(
    serve, content, entry_for, settings
):
    broken = serve(content, break_after=[100_000, 0, 0])
    other = serve(content[:150_000])
    good = serve(content)

    path = fetch_model(entry_for(content, broken, other, good), settings=settings)

    assert path.read_bytes() == content
    assert good.requests == [("/model.onnx", "bytes=100000-")]


@pytest.mark.parametrize("status", [404, 403, 500, 416])
def test_a_refusal_is_told_with_its_status(serve, content, entry_for, settings, status):
    entry = entry_for(content, serve(content, status=status))

    with pytest.raises(DownloadError, match=f"HTTP status {status}"):
        fetch_model(entry, settings=settings)


def test_a_redirect_is_followed(serve, content, entry_for, settings):
    server = serve(content)
    server.redirect_to = server.url.replace("/model.onnx", "/moved")

    path = fetch_model(entry_for(content, server), settings=settings)

    assert path.read_bytes() == content
    assert [path for path, _ in server.requests] == ["/model.onnx", "/moved"]


def test_a_redirect_in_a_circle_ends(serve, content, entry_for, settings):
    server = serve(content)
    server.redirect_to = server.url

    with pytest.raises(DownloadError, match=r"redirect"):
        fetch_model(entry_for(content, server), settings=settings)


def test_a_server_that_stalls_is_given_up(serve, content, entry_for, settings):
    stall = threading.Event()
    try:
        entry = entry_for(content, serve(content, stall=stall))

        with pytest.raises(DownloadError, match="timed out"):
            fetch_model(entry, settings=settings, patience=HASTY)
    finally:
        stall.set()


def test_without_a_network_the_error_says_what_to_place_where(content, entry_for, settings, serve):
    server = serve(content)
    entry = entry_for(content, server)
    offline = Settings(cache_dir=settings.cache_dir, offline=True)

    with pytest.raises(DownloadError) as caught:
        fetch_model(entry, settings=offline)

    message = str(caught.value)
    assert "\n" not in message
    for part in (server.url, str(cached_path(entry, settings)), entry.sha256, "300000"):
        assert part in message
    assert server.requests == []


def test_a_server_that_is_not_there_is_told_like_that(content, entry_for, settings, serve):
    server = serve(content)
    server.url = "http://127.0.0.1:9/model.onnx"
    entry = entry_for(content, server)

    with pytest.raises(DownloadError, match="refused") as caught:
        fetch_model(entry, settings=settings)

    assert f"place it as {cached_path(entry, settings)}" in str(caught.value)


def test_a_file_placed_by_hand_is_used_even_offline(content, entry_for, settings, serve):
    entry = entry_for(content, serve(content))
    path = cached_path(entry, settings)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    offline = Settings(cache_dir=settings.cache_dir, offline=True)

    assert fetch_model(entry, settings=offline) == path


def test_a_wrong_file_placed_by_hand_is_refused_and_left_alone(content, entry_for, settings, serve):
    entry = entry_for(content, serve(content))
    path = cached_path(entry, settings)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"something else")

    with pytest.raises(DownloadError, match="14 bytes, not 300000; remove it"):
        fetch_model(entry, settings=settings)

    assert path.read_bytes() == b"something else"


def test_a_mirror_of_ones_own_replaces_the_publishers_urls(content, entry_for, serve, tmp_path):
    publisher, mirror = serve(content), serve(content)
    base = mirror.url.removesuffix("/model.onnx") + "/mirror/"
    settings = Settings(cache_dir=tmp_path, model_base_url=base)

    fetch_model(entry_for(content, publisher), settings=settings)

    assert publisher.requests == []
    assert mirror.requests == [("/mirror/model.onnx", None)]


def test_a_cache_that_cannot_be_written_is_an_error(content, entry_for, serve, tmp_path):
    (tmp_path / "file").write_text("no folder")
    settings = Settings(cache_dir=tmp_path / "file")

    with pytest.raises(DownloadError, match="cannot be kept in"):
        fetch_model(entry_for(content, serve(content)), settings=settings)


def test_threads_that_want_the_same_file_fetch_it_once(serve, content, entry_for, settings):
    server = serve(content)
    entry = entry_for(content, server)

    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: fetch_model(entry, settings=settings), range(8)))

    assert {path.read_bytes() == content for path in paths} == {True}
    assert len(server.requests) == 1


def _fetch_in_process(entry, settings, results):
    results.put(fetch_model(entry, settings=settings).stat().st_size)


def test_processes_that_want_the_same_file_fetch_it_once(serve, content, entry_for, settings):
    server = serve(content)
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    arguments = (entry_for(content, server), settings, results)
    processes = [context.Process(target=_fetch_in_process, args=arguments) for _ in range(2)]

    for process in processes:
        process.start()
    sizes = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)

    assert sizes == [len(content)] * 2
    assert len(server.requests) == 1


def test_waiting_for_another_process_has_an_end(serve, content, entry_for, settings):
    stall = threading.Event()
    server = serve(content, stall=stall)
    entry = entry_for(content, server)
    patient = Patience(read_timeout_s=30, attempts=1)

    with ThreadPoolExecutor(1) as pool:
        try:
            holder = pool.submit(fetch_model, entry, settings=settings, patience=patient)
            assert server.asked.wait(60)
            with pytest.raises(DownloadError, match="another process has held"):
                fetch_model(entry, settings=settings, patience=HASTY)
        finally:
            stall.set()
        assert isinstance(holder.exception(timeout=60), DownloadError)
