// The results of a job as the API gives them; times are made those of the player's clock.

import { call, pages, withQuery } from "./api.js";

const TRACKS_LIMIT = 1000;
const DETECTIONS_LIMIT = 1000;

/** Whether a job has any; those of an earlier try stay there, though another one has begun anew. */
export const hasResults = ({ progress, status }) => status === "succeeded" || progress.frames_final > 0;

export class Results {
  #path;

  /** The time, as the API has it, at which the player's clock shows 0. */
  start = 0;

  constructor(jobId) {
    this.#path = `/v1/jobs/${jobId}`;
  }

  /** All tracks, by number. */
  async tracks() {
    const tracks = [];
    for await (const page of pages(`${this.#path}/tracks`, { limit: TRACKS_LIMIT })) tracks.push(...page.tracks);
    return tracks.map((track) => ({
      ...track,
      first_s: track.first_s - this.start,
      last_s: track.last_s - this.start,
    }));
  }

  /** The most objects of each class in one frame, in so many spans of time at most. */
  async counts(bins) {
    const counts = await call(withQuery(`${this.#path}/counts`, { bins }));
    return counts.bins.map((bin) => ({
      ...bin,
      start_s: bin.start_s - this.start,
      end_s: bin.end_s - this.start,
    }));
  }

  /** A page of detections of one track, or of some classes, or all. */
  async detections({ track = null, classes = [], cursor = null, limit }, signal) {
    const page = await call(withQuery(`${this.#path}/detections`, { track, class: classes, cursor, limit }), { signal });
    return { ...page, detections: page.detections.map((found) => this.#shifted(found)) };
  }

  /** All detections of `from <= time < to`, in order. */
  async between(from, to) {
    const span = { from: Math.max(from + this.start, 0), to: Math.max(to + this.start, 0) };
    const all = [];
    for await (const page of pages(`${this.#path}/detections`, { ...span, limit: DETECTIONS_LIMIT })) {
      all.push(...page.detections);
    }
    return all.map((found) => this.#shifted(found));
  }

  /** What can be downloaded. */
  async files(signal) {
    return (await call(`${this.#path}/results`, { signal })).results;
  }

  #shifted(found) {
    return { ...found, time_s: found.time_s - this.start };
  }
}
