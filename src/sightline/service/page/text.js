// Figures and states in words.

const integer = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const precise = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

export const STATES = {
  queued: "Queued",
  running: "Running",
  finalizing: "Finishing",
  canceling: "Canceling",
  succeeded: "Succeeded",
  failed: "Failed",
  canceled: "Canceled",
  expired: "Expired",
};

const STEPS = { ingest: "Getting the video", detect: "Detecting", finalize: "Tracking" };

export const count = (number) => integer.format(number);

export const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

/** A share of 0 to 1 as a whole percentage. */
export const share = (value) => `${integer.format(value * 100)} %`;

/** A rate, with a decimal where it matters. */
export const rate = (value) => (value < 10 ? precise : integer).format(value);

export function bytes(number) {
  if (number < 1000) return `${number} B`;
  const power = Math.min(Math.floor(Math.log10(number) / 3), 4);
  const value = number / 1000 ** power;
  return `${(value < 10 ? precise : integer).format(value)} ${["", "kB", "MB", "GB", "TB"][power]}`;
}

/** A length of time for people: two units at most. */
export function span(seconds) {
  if (seconds < 10) return `${precise.format(Math.max(seconds, 0))} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 2880) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.round(minutes / 1440)} days`;
}

/** A place in a video, such as 1:02.5; hours only where there are any. */
export function clock(seconds, digits = 1) {
  const scale = 10 ** digits;
  const ticks = Math.max(Math.floor(seconds * scale + 1e-6), 0);
  const fraction = digits > 0 ? `.${String(ticks % scale).padStart(digits, "0")}` : "";
  const whole = Math.floor(ticks / scale);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  const head = hours > 0 ? `${hours}:${two(minutes)}` : String(minutes);
  return `${head}:${two(rest)}${fraction}`;
}

/** A place in a video to the hundredth, as it was given: 0:10.05, but 0:10. */
export const place = (seconds) => clock(Math.round(seconds * 100) / 100, 2).replace(/\.?0+$/, "");

/** Read a place in a video: seconds, m:ss or h:mm:ss; NaN if it is none. */
export function readClock(text) {
  const parts = text.trim().split(":");
  if (parts.length > 3 || parts.some((part) => !/^\d+(\.\d+)?$/.test(part))) return Number.NaN;
  return parts.reduce((total, part) => total * 60 + Number(part), 0);
}

/** A moment, for the eye and for `<time>`. */
export const when = (iso) => moment.format(new Date(iso));

export function ago(iso) {
  const seconds = (new Date(iso) - Date.now()) / 1000;
  const units = [["day", 86400], ["hour", 3600], ["minute", 60]];
  for (const [unit, length] of units) {
    if (Math.abs(seconds) >= length) return relative.format(Math.trunc(seconds / length), unit);
  }
  return Math.abs(seconds) < 10 ? "just now" : relative.format(Math.trunc(seconds), "second");
}

/** What a job that is not over is doing, in parts, the most important first. */
export function doing(job) {
  const { progress } = job;
  if (job.status === "queued") {
    const before = progress.queue_position ?? 0;
    return [before > 0 ? `${plural(before, "job")} before this one` : "Next in the queue"];
  }
  if (job.status === "canceling") return ["Keeping what is finished"];
  const parts = [STEPS[progress.step] ?? "Starting"];
  if (progress.step === "ingest" && progress.bytes_done) {
    const total = progress.bytes_total ? ` of ${bytes(progress.bytes_total)}` : "";
    parts.push(`${bytes(progress.bytes_done)}${total}`);
  }
  if (progress.frames_done) {
    const total = progress.frames_total ? ` of ${count(progress.frames_total)}` : "";
    parts.push(`${count(progress.frames_done)}${total} frames`);
  }
  if (progress.fps) parts.push(`${rate(progress.fps)} frames/s`);
  if (typeof progress.eta_s === "number") parts.push(`${span(progress.eta_s)} left`);
  return parts;
}
