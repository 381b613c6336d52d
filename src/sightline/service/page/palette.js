// Colours that tell objects apart: the same as in annotated videos (sightline.draw.palette).

// Okabe and Ito, "Color Universal Design" (2008), without black; red, green, blue.
const HUES = [
  [230, 159, 0], [86, 180, 233], [0, 158, 115], [240, 228, 66],
  [213, 94, 0], [0, 114, 178], [204, 121, 167],
];

const mix = (hue, other, part) => hue.map((channel) => Math.round(channel + (other - channel) * part));

const PALETTE = [
  ...HUES,
  ...HUES.map((hue) => mix(hue, 255, 0.45)),
  ...HUES.map((hue) => mix(hue, 0, 0.4)),
];
const CSS = PALETTE.map((hue) => `rgb(${hue.join(" ")})`);
const ON = PALETTE.map((hue) => (luminance(hue) > 0.179 ? "#000" : "#fff"));

/** The colour of a track, or of a class where there are no tracks. */
export const colorOf = (number) => CSS[number % CSS.length];

/** Black or white, whichever can be read on that colour. */
export const textColorOn = (number) => ON[number % ON.length];

function luminance(hue) {
  const [red, green, blue] = hue.map((channel) => {
    const value = channel / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
