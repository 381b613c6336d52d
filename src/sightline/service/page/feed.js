// A job as it changes: by server-sent events, and by long polls where those do not get through.

import { call } from "./api.js";

const WAIT_S = 20;
const RETRY_MS = 2000;
const MOST_FAILURES = 3;

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/**
 * Follow one job until it is over. While nobody looks at the page nothing is asked for.
 *
 * @param {string} id
 * @param {{onJob: (job: object) => void, onLink: (connected: boolean) => void,
 *   onProblem: (problem: Error) => void}} to
 */
export function follow(id, to) {
  new Feed(id, to).start();
}

class Feed {
  #id;
  #to;
  #version = null;
  #over = false;
  #failures = 0;
  #source = null;
  #polling = false;

  constructor(id, to) {
    this.#id = id;
    this.#to = to;
  }

  start() {
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.#close();
      else this.#open();
    });
    this.#open();
  }

  #open() {
    if (this.#over || this.#polling || this.#source !== null) return;
    this.#source = new EventSource(`/v1/jobs/${this.#id}/events`);
    for (const name of ["progress", "status", "done"]) {
      this.#source.addEventListener(name, (event) => this.#take(JSON.parse(event.data)));
    }
    this.#source.addEventListener("error", () => this.#stumble());
  }

  #close() {
    this.#source?.close();
    this.#source = null;
  }

  #take(job) {
    this.#failures = 0;
    this.#to.onLink(true);
    if (this.#version !== null && job.version < this.#version) return;
    this.#version = job.version;
    this.#over = job.terminal;
    if (this.#over) this.#close();
    this.#to.onJob(job);
  }

  /** The browser tries again by itself, unless the server refused; then only a poll can tell why. */
  #stumble() {
    this.#failures += 1;
    this.#to.onLink(false);
    const refused = this.#source?.readyState === EventSource.CLOSED;
    if (!refused && this.#failures < MOST_FAILURES) return;
    this.#close();
    this.#poll();
  }

  async #poll() {
    if (this.#polling) return;
    this.#polling = true;
    while (!this.#over && !document.hidden) {
      try {
        const query = this.#version === null ? "" : `?wait=${WAIT_S}&version=${this.#version}`;
        this.#take(await call(`/v1/jobs/${this.#id}${query}`));
      } catch (problem) {
        if (problem.status === 404) this.#over = true;
        if (problem.status > 0) this.#to.onProblem(problem);
        else this.#to.onLink(false);
        if (!this.#over) await pause(RETRY_MS);
      }
    }
    this.#polling = false;
  }
}
