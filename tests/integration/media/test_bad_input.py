"""What is not a video is refused when it is opened: one line that names the file and the cause."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
import threading
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from sightline.errors import MediaError
from sightline.media.opening import open_source
from sightline.media.options import SourceOptions

TEXT = "Dear Sir or Madam, this is a letter and not a video.\n" * 40


def refusal(spec, **options):
    """The message with which a source is refused."""
    with pytest.raises(MediaError) as caught:
        open_source(spec, options=SourceOptions(**options))
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_missing_file_is_refused(tmp_path):
    assert refusal(tmp_path / "no.mp4") == f"cannot open {tmp_path}/no.mp4: no such file"


def test_an_empty_name_is_refused_instead_of_taken_for_this_folder():
    with pytest.raises(MediaError, match="an empty name"):
        open_source("")


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "empty.mp4").touch()
    message = refusal(str(tmp_path / "empty.mp4"))
    assert message == f"cannot open {tmp_path}/empty.mp4: the file is empty"


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "ts", "h264", "mjpeg", "txt"])
def test_text_is_refused_whatever_its_name(suffix, tmp_path):
    path = tmp_path / f"letter.{suffix}"
    path.write_text(TEXT)
    assert "letter" in refusal(path)


def test_text_with_the_name_of_a_video_is_called_text(tmp_path):
    (tmp_path / "letter.mp4").write_text(TEXT)
    assert "it is text, not a video" in refusal(tmp_path / "letter.mp4")


@pytest.mark.parametrize("content", [bytes(50_000), np.random.default_rng(1).bytes(50_000)])
def test_bytes_without_meaning_are_refused(content, tmp_path):
    (tmp_path / "noise.mp4").write_bytes(content)
    assert "noise.mp4: it is not a video, or it is damaged" in refusal(tmp_path / "noise.mp4")


def test_sound_without_pictures_is_refused(tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((2, 1024), np.float32), format="fltp", layout="stereo"
        )
        frame.rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert "sound.mp4: it has no video stream" in refusal(path)


def test_a_container_that_holds_no_video_is_refused(tmp_path):
    path = tmp_path / "sound.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(16000))
    assert "sound.wav: its format is not one that Sightline reads" in refusal(path)


@pytest.mark.parametrize("name", ["nothing.mp4", "nothing.mkv"])
def test_a_video_without_frames_is_refused(name, tmp_path):
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    assert name in refusal(tmp_path / name)


def test_a_video_that_ends_before_its_index_is_refused(write_video):
    path = write_video("cut.mp4")
    path.write_bytes(path.read_bytes()[:-900])
    assert "its index (the moov box) is missing: the file was cut off" in refusal(path)


def test_an_unknown_codec_is_refused(write_video):
    path = write_video("strange.mp4")
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    assert "strange.mp4: there is no decoder for its video stream" in refusal(path)


def test_a_video_of_which_nothing_can_be_decoded_is_refused(write_video):
    path = write_video("spoilt.mp4", container_options={"movflags": "faststart"})
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    data[start:] = bytes(len(data) - start)
    path.write_bytes(data)
    assert "spoilt.mp4: no frame of it can be decoded" in refusal(path)


def test_pictures_larger_than_allowed_are_refused(write_video):
    path = write_video("large.mp4")
    message = refusal(path, max_pixels=128 * 96 - 1)
    assert "large.mp4: its pictures of 128 x 96 have more than max_pixels=12287" in message


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text(TEXT)
    assert f"cannot open {tmp_path}: there are no images in the folder" in refusal(tmp_path)


@pytest.fixture
def without_privileges():
    """Root may read everything, so stop being root."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    yield
    os.seteuid(before)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_file_without_permission_is_refused(write_video, request):
    path = write_video("private.mp4")
    path.chmod(0)
    request.getfixturevalue("without_privileges")
    assert "private.mp4: Permission denied" in refusal(path)
    assert "Permission denied" in refusal(path.parent)


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "pipe.mp4: not a regular file" in refusal(tmp_path / "pipe.mp4")


@pytest.mark.parametrize("address", ["ftp://ann:secret@host/a.mp4", "srt://h:1", "concat://a|b"])
def test_an_unknown_kind_of_address_is_refused_without_its_secrets(address):
    message = refusal(address)
    assert "is not one of http, https, rtsp, rtsps, scene" in message
    assert "secret" not in message


PLAYLISTS = {
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{there}\n#EXT-X-ENDLIST\n",
    "ffconcat": "ffconcat version 1.0\nfile {there}\n",
    "SDP": "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=video 5004 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:{there}\r\n",
    "DASH": '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
    "<Period><AdaptationSet><Representation><BaseURL>{there}</BaseURL></Representation>"
    "</AdaptationSet></Period></MPD>\n",
    "Smooth Streaming": "<SmoothStreamingMedia><StreamIndex Url='{there}'/></SmoothStreamingMedia>",
    "pls": "[playlist]\nFile1={there}\nNumberOfEntries=1\n",
    "asx": "<ASX version='3.0'><entry><ref href='{there}'/></entry></ASX>",
    "reference": "[Reference]\r\nRef1={there}\r\n",
}


@pytest.fixture
def visits():
    """A listening socket, and whether anybody came."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/video.ts"

        def anybody():
            try:
                server.accept()[0].close()
            except BlockingIOError:
                return False
            return True

        yield address, anybody


@pytest.mark.parametrize("suffix", ["mp4", "m3u8", "ts", "mkv", "h264", "sdp", "mpd"])
@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_playlist_is_refused_and_what_it_points_to_is_not_opened(
    kind, suffix, tmp_path, visits, write_video
):
    address, anybody = visits
    path = tmp_path / f"list.{suffix}"
    for there in (address, str(write_video("there.ts", count=3))):
        path.write_text(PLAYLISTS[kind].format(there=there))
        message = refusal(path)
        assert kind in message
        assert "points elsewhere" in message
    assert not anybody()


def test_a_numbered_name_does_not_open_a_series_of_images(tmp_path):
    image = av.VideoFrame(32, 32, "rgb24")
    for number in (1, 2):
        image.save(tmp_path / f"{number}.png")
    assert "no such file" in refusal(tmp_path / "%d.mp4")
    assert "no such file" in refusal(tmp_path / "%d.png")


def test_nothing_is_printed_about_damaged_files(tmp_path, write_video):
    damaged = write_video("damaged.mkv", codec_options={"x264-params": "keyint=5"})
    data = bytearray(damaged.read_bytes())
    for position in range(2000, len(data), 501):
        data[position] ^= 0x55
    damaged.write_bytes(data[:-500])
    (tmp_path / "letter.mp4").write_text(TEXT)
    program = textwrap.dedent(
        """
        import sys
        from sightline.errors import MediaError
        from sightline.media.opening import open_source
        for path in sys.argv[1:]:
            try:
                source = open_source(path)
            except MediaError:
                continue
            assert list(source.frames())
            assert source.losses
            source.close()
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program, damaged, tmp_path / "letter.mp4"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_refused_file_is_not_kept_open(tmp_path):
    (tmp_path / "letter.mp4").write_text(TEXT)
    before = open_files()
    threads = threading.active_count()
    for _ in range(20):
        refusal(tmp_path / "letter.mp4")
    assert threading.active_count() == threads
    assert open_files() == before


def open_files():
    """Count the files that this process has open, where the system tells."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0
