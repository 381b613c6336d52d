"""Files of strangers are opened as what they are allowed to be, or not at all."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.jobs.limits import MediaLimits
from sightline.jobs.sniff import SourceError, sniff, source_options

MOOV = b"\x00\x00\x00\x08moov"
ACCEPTED = {
    "mp4": (b"\x00\x00\x00\x10ftypisom\x00\x00\x00\x00" + MOOV, "mov"),
    "quicktime without ftyp": (MOOV + b"\x00\x00\x00\x10wide\x00\x00\x00\x00mdat", "mov"),
    "webm": (b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm", "matroska"),
    "avi": (b"RIFF\x00\x10\x00\x00AVI LIST", "avi"),
    "transport stream": ((b"\x47" + bytes(187)) * 6, "mpegts"),
    "time-coded transport stream": ((bytes(4) + b"\x47" + bytes(187)) * 6, "mpegts"),
}
REFUSED = {
    "an m3u8 playlist": b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/\n",
    "m3u8 playlist": b"\xef\xbb\xbf  #EXTM3U\nfile:///etc/passwd\n",
    "a DASH manifest": b'<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011">',
    "an SDP session description": b"v=0\no=- 0 0 IN IP4 10.0.0.1\n",
    "an ffconcat playlist": b"ffconcat version 1.0\nfile /etc/passwd\n",
    "it is text": b"<!DOCTYPE html><html><body>please log in</body></html>",
    "the file is empty": b"",
    "a PNG image": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "a JPEG image": b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(100),
    "a GIF image": b"GIF89a" + bytes(300),
    "a WebP image": b"RIFF\x00\x10\x00\x00WEBPVP8 " + bytes(100),
    "a HEIF or AVIF image": b"\x00\x00\x00\x10ftypavif\x00\x00\x00\x00" + MOOV,
    "a ZIP archive": b"PK\x03\x04" + bytes(100),
    "a gzip archive": b"\x1f\x8b\x08" + bytes(100),
    "a program": b"\x7fELF" + bytes(100),
    "its index (the moov box) is missing": b"\x00\x00\x00\x10ftypisom\x00\x00\x00\x00",
    "of unknown kind": bytes(4096),
}


@pytest.mark.parametrize("kind", ACCEPTED)
def test_a_video_is_opened_as_its_container_and_no_other(tmp_path, kind):
    content, container = ACCEPTED[kind]
    path = tmp_path / "upload.txt"
    path.write_bytes(content)
    assert sniff(path) == container
    options = source_options(path, limits=MediaLimits(max_pixels=1000), start_s=1.0)
    assert (options.container, options.max_pixels, options.start_s) == (container, 1000, 1.0)


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_video_is_refused_by_name_whatever_it_is_called(tmp_path, what):
    path = tmp_path / "video.mp4"
    path.write_bytes(REFUSED[what])
    with pytest.raises(SourceError) as caught:
        sniff(path)
    assert caught.value.code == "source-not-video"
    assert what in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


@given(content=st.binary(max_size=600))
def test_any_bytes_are_a_container_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("sniff") / "file"
    path.write_bytes(content)
    with contextlib.suppress(SourceError):
        assert sniff(path) in ("avi", "matroska", "mov", "mpegts")


def test_limits_are_positive():
    with pytest.raises(ValueError, match="max_frames"):
        MediaLimits(max_frames=0)
