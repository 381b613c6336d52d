"""Colours that tell objects apart, for people with colour-blindness, too."""

from __future__ import annotations

__all__ = ["Color", "color_of", "text_color_on"]

Color = tuple[int, int, int]
"""Blue, green, red, each 0 to 255."""

# Okabe and Ito, "Color Universal Design" (2008), without black; ordered so that neighbours differ.
_HUES: tuple[Color, ...] = (
    (0, 159, 230),  # orange
    (233, 180, 86),  # sky blue
    (115, 158, 0),  # bluish green
    (66, 228, 240),  # yellow
    (0, 94, 213),  # vermilion
    (178, 114, 0),  # blue
    (167, 121, 204),  # reddish purple
)


def _mix(color: Color, other: Color, share: float) -> Color:
    blue, green, red = (round(a + (b - a) * share) for a, b in zip(color, other, strict=True))
    return blue, green, red


_PALETTE: tuple[Color, ...] = (
    *_HUES,
    *(_mix(hue, (255, 255, 255), 0.45) for hue in _HUES),
    *(_mix(hue, (0, 0, 0), 0.4) for hue in _HUES),
)


def color_of(number: int) -> Color:
    """Pick the colour of a track or class: always the same, and unlike that of its neighbours.

    Seven hues that stay apart under colour-blindness, then the same lighter and darker; after 21
    numbers the colours repeat.

    >>> color_of(0), color_of(21)
    ((0, 159, 230), (0, 159, 230))
    """
    return _PALETTE[number % len(_PALETTE)]


def text_color_on(background: Color) -> Color:
    """Choose black or white, whichever contrasts more (relative luminance as in WCAG 2.1).

    >>> text_color_on((66, 228, 240)), text_color_on((120, 60, 0))
    ((0, 0, 0), (255, 255, 255))
    """
    blue, green, red = (_linear(channel / 255) for channel in background)
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return (0, 0, 0) if luminance > 0.179 else (255, 255, 255)


def _linear(channel: float) -> float:
    return float(channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4)
