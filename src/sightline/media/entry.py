"""Tells which packets of a video are entry points: places at which decoding can start.

From an entry point on, every frame that is shown at its time or later comes out exactly as if the
video had been decoded from its beginning. What containers and parsers flag as key frames is more:
H.264 and HEVC know pictures from which the image merely recovers after a while (periodic intra
refresh). So the packets of these codecs are looked into; those of AV1, too. For the others, the
flag suffices; and a codec that is not listed here has no entry points at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from av import Packet, VideoStream

__all__ = ["entry_test"]

_FLAG_SUFFICES = frozenset({"mpeg1video", "mpeg2video", "mpeg4", "vp8", "vp9"})
_START_CODE = b"\0\0\1"

_H264_SLICES = range(1, 6)
_H264_IDR = 5
_H264_SEI = 6
_RECOVERY_POINT = 6
_HEVC_VIDEO = range(32)
_HEVC_ENTRIES = range(16, 22)
"""BLA, IDR and CRA pictures (ITU-T H.265, table 7-1)."""
_AV1_SEQUENCE, _AV1_FRAME_HEADER, _AV1_FRAME = 1, 3, 6


def entry_test(stream: VideoStream) -> Callable[[Packet[VideoStream]], bool]:
    """Choose how to tell whether a packet that is flagged as a key frame is an entry point."""
    codec = stream.codec_context
    name, extradata = codec.codec.canonical_name, codec.extradata or b""
    if name == "h264":
        length_size = (extradata[4] & 3) + 1 if _has_lengths(extradata, 7) else 0
        return lambda packet: _is_h264_entry(_nal_units(bytes(packet), length_size))
    if name == "hevc":
        length_size = (extradata[21] & 3) + 1 if _has_lengths(extradata, 23) else 0
        return lambda packet: _is_hevc_entry(_nal_units(bytes(packet), length_size))
    if name == "av1":
        return lambda packet: _is_av1_entry(bytes(packet))
    suffices = name in _FLAG_SUFFICES or codec.codec.intra_only
    return lambda _: suffices


def _has_lengths(extradata: bytes, shortest: int) -> bool:
    """Whether NAL units have lengths before them (ISO/IEC 14496-15), not start codes (Annex B)."""
    return len(extradata) >= shortest and extradata[0] == 1


def _nal_units(data: bytes, length_size: int) -> Iterator[bytes]:
    """Yield the NAL units of a packet; `length_size` 0: they have start codes before them."""
    if not length_size:
        position = data.find(_START_CODE)
        while position >= 0:
            following = data.find(_START_CODE, position + 3)
            yield data[position + 3 : following if following >= 0 else len(data)]
            position = following
        return
    position = 0
    while position + length_size < len(data):
        length = int.from_bytes(data[position : position + length_size], "big")
        position += length_size
        yield data[position : position + length]
        position += length


def _is_h264_entry(units: Iterator[bytes]) -> bool:
    """Look for an IDR picture, or one at which the image is exact again at once.

    The latter is announced by a recovery point (ITU-T H.264, D.2.8) with recovery_frame_cnt 0 and
    exact_match_flag 1, and is an I picture, on which pictures shown earlier depend (open GOP).
    """
    recovers = False
    for unit in units:
        kind = unit[0] & 31 if unit else 0
        if kind == _H264_SEI:
            recovers = recovers or _recovers_at_once(unit)
        elif kind in _H264_SLICES:
            return kind == _H264_IDR or recovers
    return False


def _recovers_at_once(unit: bytes) -> bool:
    data = unit[1:].replace(b"\0\0\3", b"\0\0")
    position = 0
    while position + 2 < len(data):
        kind, position = _sei_number(data, position)
        length, position = _sei_number(data, position)
        if kind == _RECOVERY_POINT and length and position < len(data):
            return data[position] >> 6 == 0b11  # the count 0, as ue(v), then the flag
        position += length
    return False


def _sei_number(data: bytes, position: int) -> tuple[int, int]:
    """Read a payload type or size: bytes that are added up, all but the last one 255."""
    number = 0
    while position < len(data):
        number += data[position]
        position += 1
        if data[position - 1] != 0xFF:
            break
    return number, position


def _is_hevc_entry(units: Iterator[bytes]) -> bool:
    """Look for an IRAP picture."""
    kinds = (unit[0] >> 1 & 63 for unit in units if unit)
    return next((kind in _HEVC_ENTRIES for kind in kinds if kind in _HEVC_VIDEO), False)


def _is_av1_entry(data: bytes) -> bool:
    """Look for a sequence header and a key frame that is shown at once (AV1, 5.3 and 5.9.2)."""
    has_sequence = False
    position = 0
    while position < len(data):
        kind, has_extension, has_size = (
            data[position] >> 3 & 15,
            data[position] >> 2 & 1,
            data[position] >> 1 & 1,
        )
        position += 1 + has_extension
        length, position = _leb128(data, position) if has_size else (len(data) - position, position)
        if kind in (_AV1_FRAME_HEADER, _AV1_FRAME):
            # show_existing_frame 0, frame_type 0 (key frame), show_frame 1
            return has_sequence and position < len(data) and data[position] >> 4 == 0b0001
        has_sequence = has_sequence or kind == _AV1_SEQUENCE
        position += length
    return False


def _leb128(data: bytes, position: int) -> tuple[int, int]:
    number = 0
    for index, byte in enumerate(data[position : position + 8]):
        number |= (byte & 127) << 7 * index
        if byte < 128:
            return number, position + index + 1
    return number, len(data)
