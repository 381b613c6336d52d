// Sending a file in pieces (tus 1.0), so that it can be paused, and goes on after a lost
// connection or, when the same file is chosen again, after a reload of the page.

import { Problem, UNREACHABLE } from "./problem.js";
import { signIn } from "./sign_in.js";

const PIECE_BYTES = 8 * 2 ** 20;
const VERSION = { "tus-resumable": "1.0.0" };
const RETRY_MS = [500, 1000, 2000, 4000, 8000];
const PREFIX = "sightline.upload ";

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

export class Upload {
  #file;
  #place = null;
  #request = null;
  #paused = false;
  #wake = null;
  #canceled = false;
  #onProgress;

  /** @param {(sent: number) => void} onProgress told how many bytes have arrived */
  constructor(file, onProgress) {
    this.#file = file;
    this.#onProgress = onProgress;
  }

  /** Send what is missing; return the upload's id, or null if it was canceled. */
  async send() {
    let offset = await this.#begin();
    let failures = 0;
    while (!this.#canceled && offset < this.#file.size) {
      if (this.#paused) await new Promise((done) => (this.#wake = done));
      if (this.#canceled) break;
      try {
        offset = await this.#piece(offset);
        failures = 0;
      } catch (problem) {
        if (this.#paused || this.#canceled) continue;
        if (!passes(problem) || failures === RETRY_MS.length) throw problem;
        await pause(RETRY_MS[failures]);
        failures += 1;
        offset = (await this.#offset().catch(() => offset)) ?? offset;
      }
    }
    if (this.#canceled) return null;
    forget(this.#file);
    return this.#place.split("/").pop();
  }

  pause() {
    this.#paused = true;
    this.#request?.abort();
  }

  resume() {
    this.#paused = false;
    this.#wake?.();
  }

  /** Stop for good, and have the server drop what it got. */
  cancel() {
    this.#canceled = true;
    this.#request?.abort();
    this.#wake?.();
    forget(this.#file);
    if (this.#place !== null) ask("DELETE", this.#place).catch(() => {});
  }

  /** Find the upload that was begun before, or make one; return where it stands. */
  async #begin() {
    this.#place = remembered(this.#file);
    const offset = this.#place === null ? null : await this.#offset().catch(() => null);
    if (offset !== null) {
      this.#onProgress(offset);
      return offset;
    }
    const response = await ask("POST", "/v1/uploads", {
      "upload-length": String(this.#file.size),
      "upload-metadata": `filename ${base64(this.#file.name)}`,
    });
    this.#place = new URL(response.headers.get("location"), location.href).pathname;
    remember(this.#file, this.#place);
    return 0;
  }

  /** Ask how much has arrived; null if the server knows the upload no longer. */
  async #offset() {
    const response = await ask("HEAD", this.#place, {}, [404, 410]);
    return response.ok ? Number(response.headers.get("upload-offset")) : null;
  }

  /** Send one piece; XMLHttpRequest, because fetch does not tell how much it has sent. */
  #piece(offset) {
    return new Promise((done, fail) => {
      const request = new XMLHttpRequest();
      this.#request = request;
      request.open("PATCH", this.#place);
      request.setRequestHeader("tus-resumable", "1.0.0");
      request.setRequestHeader("upload-offset", String(offset));
      request.setRequestHeader("content-type", "application/offset+octet-stream");
      request.upload.addEventListener("progress", (event) => this.#onProgress(offset + event.loaded));
      request.addEventListener("load", () => {
        if (request.status === 204) return done(Number(request.getResponseHeader("upload-offset")));
        if (request.status === 401) return signIn().then(() => done(offset));
        return fail(Problem.of(request.status, parsed(request.responseText)));
      });
      request.addEventListener("error", () => fail(new Problem(UNREACHABLE)));
      request.addEventListener("abort", () => fail(new Problem("The upload was stopped.")));
      request.send(this.#file.slice(offset, offset + PIECE_BYTES));
    });
  }
}

/** Whether another try may help: no answer, a busy server, an offset or lock that is out of date. */
const passes = (problem) => problem.passing || [408, 409, 423, 460].includes(problem.status);

async function ask(method, path, headers = {}, accepted = []) {
  for (;;) {
    const response = await fetch(path, { method, headers: { ...VERSION, ...headers } }).catch(() => {
      throw new Problem(UNREACHABLE);
    });
    if (response.ok || accepted.includes(response.status)) return response;
    if (response.status !== 401) throw await Problem.from(response);
    await signIn();
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

function base64(text) {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

const keyOf = (file) => `${PREFIX}${file.name} ${file.size} ${file.lastModified}`;
const remembered = (file) => localStorage.getItem(keyOf(file));
const remember = (file, place) => localStorage.setItem(keyOf(file), place);
const forget = (file) => localStorage.removeItem(keyOf(file));
