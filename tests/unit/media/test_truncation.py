"""The lengths that containers state, measured on hand-made files."""

from __future__ import annotations

import struct

import pytest

from sightline.media.truncation import missing_bytes


def box(kind, data, *, length=None):
    return struct.pack(">I4s", 8 + len(data) if length is None else length, kind) + data


def measure(tmp_path, name, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    return missing_bytes(path, name)


FTYP = box(b"ftyp", b"isom")
EBML = b"\x1a\x45\xdf\xa3\x83abc"
SEGMENT = b"\x18\x53\x80\x67"


@pytest.mark.parametrize(
    ("content", "missing"),
    [
        (FTYP + box(b"moov", b"12") + box(b"mdat", b"1234"), 0),
        (FTYP + box(b"mdat", b"1234", length=8 + 9), 5),
        (FTYP + struct.pack(">I4sQ", 1, b"mdat", 16 + 2**33) + b"12", 2**33 - 2),
        (FTYP + box(b"mdat", b"to the end", length=0), 0),
        (FTYP + box(b"moof", b"1", length=20), 11),
        (FTYP + box(b"mdat", b"1234") + b"appended by a camera", 0),
        (FTYP + box(b"mdat", b"1234") + bytes(100), 0),
        (FTYP + box(b"free", b"1", length=20), 0),
        (FTYP + b"\0\0", 0),
        (b"", 0),
    ],
)
def test_mp4_boxes(content, missing, tmp_path):
    assert measure(tmp_path, "mov,mp4,m4a,3gp,3g2,mj2", content) == missing


@pytest.mark.parametrize(
    ("content", "missing"),
    [
        (EBML + SEGMENT + b"\x84data", 0),
        (EBML + SEGMENT + b"\x84dat", 1),
        (EBML + SEGMENT + b"\x84data and more", 0),
        (EBML + SEGMENT + b"\x01\x00\x00\x00\x00\x00\x01\x00data", 252),
        (EBML + SEGMENT + b"\xffa live recording", 0),
        (EBML + SEGMENT + b"\x01\xff\xff\xff\xff\xff\xff\xffa live recording", 0),
        (EBML + b"something else", 0),
        (EBML + SEGMENT, 0),
        (b"\x1a\x45\xdf\xa3\x00", 0),
        (b"", 0),
    ],
)
def test_matroska_elements(content, missing, tmp_path):
    assert measure(tmp_path, "matroska,webm", content) == missing


@pytest.mark.parametrize(
    ("content", "missing"),
    [
        (b"RIFF" + struct.pack("<I", 4) + b"AVI ", 0),
        (b"RIFF" + struct.pack("<I", 10) + b"AVI ", 6),
        (b"RIFF" + struct.pack("<I", 4) + b"AVI RIFF" + struct.pack("<I", 9) + b"AVIX", 6),
        (b"RIFF" + struct.pack("<I", 0) + b"AVI a recorder was cut off", 0),
        (b"RIFF" + struct.pack("<I", 4) + b"AVI JUNKJUNK", 0),
        (b"RI", 0),
    ],
)
def test_riff_chunks(content, missing, tmp_path):
    assert measure(tmp_path, "avi", content) == missing


@pytest.mark.parametrize(
    ("packet", "size", "missing"),
    [
        (b"G" + bytes(187), 188, 0),
        (b"G" + bytes(187), 188 * 48, 0),
        (b"G" + bytes(187), 192 * 9, 152),
        (b"G" + bytes(187), 189, 187),
        (b"G" + bytes(187), 375, 1),
        (b"time" + b"G" + bytes(187), 192 * 7, 0),
        (b"time" + b"G" + bytes(187), 188 * 7, 28),
        (b"G" + bytes(203), 204 * 6, 0),
        (b"G" + bytes(203), 204 * 6 - 1, 1),
        (b"no sync byte", 1000, 0),
    ],
)
def test_transport_packets(packet, size, missing, tmp_path):
    content = (packet * (size // len(packet) + 1))[:size]
    assert measure(tmp_path, "mpegts", content) == missing


def flv_tag(kind, data):
    head = bytes([kind]) + len(data).to_bytes(3, "big") + bytes(7)
    return head + data + (11 + len(data)).to_bytes(4, "big")


@pytest.mark.parametrize(("cut", "missing"), [(0, 0), (1, 1), (4, 1), (15, 1)])
def test_flv_tags(cut, missing, tmp_path):
    content = b"FLV\x01\x05" + bytes(8) + flv_tag(18, b"facts") + flv_tag(9, b"a picture")
    assert measure(tmp_path, "flv", content[: len(content) - cut]) == missing


def test_other_containers_do_not_tell(tmp_path):
    assert measure(tmp_path, "ogg", b"anything") == 0
