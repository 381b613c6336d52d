// Where a job stands, at the top of its page.

import { cancelJob, deleteJob, retryJob } from "./actions.js";
import { announce, byId, make, setHidden, setText } from "./element.js";
import { sentence } from "./problem.js";
import { hasResults } from "./results.js";
import { STATES, doing } from "./text.js";

const CLOSED = {
  canceled: "The job was canceled.",
  expired: "The results were removed when their time was over.",
};

export class Status {
  #onChange;
  #job = null;
  #busy = false;
  #buttons;

  /** @param {(job: object | null) => void} onChange told after an action; null: the job is gone */
  constructor(onChange) {
    this.#onChange = onChange;
    this.#buttons = {
      cancel: this.#button("Cancel", cancelJob),
      retry: this.#button("Retry", retryJob),
      remove: this.#button("Delete", deleteJob),
    };
    byId("actions").append(...Object.values(this.#buttons));
  }

  #button(text, action) {
    return make("button", { type: "button", hidden: true, click: () => this.#act(action) }, text);
  }

  async #act(action) {
    if (this.#busy) return;
    this.#busy = true;
    try {
      const changed = await action(this.#job);
      if (changed !== undefined) this.#onChange(changed);
    } catch (problem) {
      setText(byId("error"), problem.message);
    }
    this.#busy = false;
  }

  show(job) {
    const before = this.#job;
    this.#job = job;
    if (before !== null && before.status !== job.status) announce(`${STATES[job.status]}.`);
    byId("head").dataset.state = job.status;
    setHidden(byId("state"), false);
    setText(byId("state"), job.partial && job.status === "succeeded" ? "Partly done" : STATES[job.status]);
    const parts = job.terminal ? [outcome(job)] : doing(job);
    const { percent } = job.progress;
    if (!job.terminal && job.status !== "queued" && typeof percent === "number") parts.unshift(`${Math.floor(percent)} %`);
    setText(byId("doing"), parts.filter(Boolean).join(" · "));
    this.#showBar(job, percent);
    setText(byId("error"), job.error ? sentence(job.error.message) : "");
    setHidden(byId("warnings"), job.warnings.length === 0);
    byId("warnings").replaceChildren(...job.warnings.map((text) => make("li", {}, sentence(text))));
    setHidden(byId("status"), job.terminal && !outcome(job) && job.error === null && job.warnings.length === 0);
    this.#showButtons(job);
  }

  #showBar(job, percent) {
    const bar = byId("progress");
    setHidden(bar, job.terminal);
    if (job.status === "queued") bar.value = 0;
    else if (typeof percent === "number") bar.value = percent;
    else bar.removeAttribute("value");
  }

  #showButtons(job) {
    const { cancel, retry, remove } = this.#buttons;
    const had = Object.values(this.#buttons).includes(document.activeElement);
    setHidden(cancel, job.terminal || job.status === "canceling");
    setHidden(retry, !["failed", "canceled"].includes(job.status));
    setHidden(remove, !job.terminal);
    if (had && document.activeElement === document.body) {
      Object.values(this.#buttons).find((button) => !button.hidden)?.focus();
    }
  }
}

/** What became of it, in a sentence; a success needs none, unless it is a part. */
function outcome(job) {
  const kept = hasResults(job) && job.status !== "expired";
  const part = kept && (job.partial || job.status !== "succeeded") ? " The results cover the beginning of the video." : "";
  return `${CLOSED[job.status] ?? ""}${part}`.trim();
}
