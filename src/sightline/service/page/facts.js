// What is known of a job, as a list of names and values.

import { byId, make } from "./element.js";
import { ago, bytes, clock, count, place, plural, rate, span, when } from "./text.js";

/** A line under the title: the figures that matter most. */
export function factsLine(job) {
  const { video } = job;
  const parts = [job.pipeline];
  if (video) {
    parts.push(`${video.width} × ${video.height}`);
    if (video.frame_rate) parts.push(`${rate(video.frame_rate)} frames/s`);
    if (video.duration_s) parts.push(clock(video.duration_s));
  }
  parts.push(`submitted ${ago(job.created_at)}`);
  return parts.join(" · ");
}

/** Fill the list of facts. */
export function showFacts(job) {
  byId("facts").replaceChildren(
    ...facts(job)
      .filter(([, value]) => value !== null && value !== undefined && value !== "")
      .map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))),
  );
}

function facts(job) {
  const { video, progress, range } = job;
  const took = job.finished_at && job.started_at ? (new Date(job.finished_at) - new Date(job.started_at)) / 1000 : null;
  return [
    ["Source", job.source.url ?? job.source.name],
    ["Tracks", counted(job.summary?.tracks)],
    ["Frames", progress.frames_final ? count(progress.frames_final) : null],
    ["Range", rangeOf(range)],
    ["Took", took === null ? null : span(took)],
    ["Rate", progress.fps ? `${rate(progress.fps)} frames/s` : null],
    ["Chunks", progress.chunks?.total ? chunksOf(progress.chunks) : null],
    ["Format", video ? `${video.codec} in ${video.container}, ${bytes(video.size_bytes)}` : null],
    ["SHA-256", video?.sha256 ? make("code", {}, video.sha256) : null],
    ["Pipeline", job.pipeline],
    ["Parameters", parametersOf(job.params)],
    ["Labels", Object.entries(job.labels ?? {}).map(([name, value]) => `${name}=${value}`).join(", ")],
    ["Submitted", moment(job.created_at)],
    ["Finished", job.finished_at ? moment(job.finished_at) : null],
    ["Kept until", job.expires_at ? moment(job.expires_at) : null],
    ["Job", make("code", {}, job.id)],
  ];
}

const moment = (iso) => make("time", { datetime: iso }, when(iso));

function counted(tracks) {
  const entries = Object.entries(tracks ?? {});
  return entries.map(([name, number]) => `${count(number)} ${name}`).join(", ");
}

function rangeOf(range) {
  if (!range || (!range.start_s && range.end_s === null)) return null;
  return `${place(range.start_s ?? 0)} to ${range.end_s === null ? "the end" : place(range.end_s)}`;
}

function chunksOf({ total, done, failed }) {
  const parts = [done === total ? plural(total, "chunk") : `${count(done)} of ${plural(total, "chunk")}`];
  if (failed > 0) parts.push(`${count(failed)} failed`);
  return parts.join(", ");
}

function parametersOf(params) {
  const entries = Object.entries(params ?? {}).filter(([, value]) => value !== null);
  if (entries.length === 0) return null;
  const text = (value) => (Array.isArray(value) ? value.join(", ") : String(value));
  return make("ul", { class: "parameters" }, ...entries.map(([name, value]) => make("li", {}, `${name} = ${text(value)}`)));
}
