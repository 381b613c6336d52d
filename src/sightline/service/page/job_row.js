// One job in the list.

import { cancelJob, deleteJob, retryJob } from "./actions.js";
import { make, setHidden, setText } from "./element.js";
import { sentence } from "./problem.js";
import { STATES, ago, clock, count, doing, when } from "./text.js";

export class JobRow {
  #parts;
  #onChange;

  /** @param {(job: object | null) => void} onChange told after an action; null: it was deleted */
  constructor(job, onChange) {
    this.#onChange = onChange;
    this.element = this.#make(job);
    this.show(job);
  }

  #make(job) {
    const { name } = job.source;
    let busy = false;
    const act = (action) => async () => {
      if (busy) return;
      busy = true;
      try {
        const changed = await action(this.job);
        if (changed !== undefined) this.#onChange(changed);
      } catch (problem) {
        setText(this.#parts.error, problem.message);
      }
      busy = false;
    };
    const button = (text, action) =>
      make("button", { type: "button", class: "quiet", "aria-label": `${text} ${name}`, click: act(action) }, text);
    this.#parts = {
      picture: make("div", { class: "thumb" }),
      state: make("span", { class: "state" }),
      meta: make("p", { class: "meta" }),
      bar: make("progress", { max: "100", "aria-label": `Progress of ${name}` }),
      doing: make("p", { class: "doing" }),
      error: make("p", { class: "error" }),
      cancel: button("Cancel", cancelJob),
      retry: button("Retry", retryJob),
      remove: button("Delete", deleteJob),
    };
    const parts = this.#parts;
    return make(
      "li",
      { class: "job" },
      parts.picture,
      make(
        "div",
        { class: "job-text" },
        make("p", { class: "job-head" }, make("a", { class: "name", href: `/jobs/${job.id}` }, name), parts.state),
        parts.meta,
        make("div", { class: "job-progress" }, parts.bar, parts.doing),
        parts.error,
      ),
      make("p", { class: "job-actions" }, parts.cancel, parts.retry, parts.remove),
    );
  }

  show(job) {
    this.job = job;
    const parts = this.#parts;
    this.element.dataset.state = job.status;
    setText(parts.state, job.partial && job.status === "succeeded" ? "Partly done" : STATES[job.status]);
    setText(parts.meta, metaOf(job).join(" · "));
    parts.meta.title = when(job.created_at);
    this.#showProgress(job);
    setText(parts.error, job.error ? sentence(job.error.message) : "");
    setHidden(parts.cancel, job.terminal || job.status === "canceling");
    setHidden(parts.retry, !["failed", "canceled"].includes(job.status));
    setHidden(parts.remove, !job.terminal);
    if (job.video !== null && job.status !== "expired") this.#showPicture(job);
  }

  #showProgress(job) {
    const { bar, doing: text } = this.#parts;
    setHidden(bar.parentElement, job.terminal);
    if (job.terminal) return;
    const percent = job.progress.percent;
    if (job.status === "queued") bar.value = 0;
    else if (typeof percent === "number") bar.value = percent;
    else bar.removeAttribute("value");
    const parts = doing(job);
    if (typeof percent === "number" && job.status !== "queued") parts.unshift(`${Math.floor(percent)} %`);
    setText(text, parts.join(" · "));
  }

  #showPicture(job) {
    const { picture } = this.#parts;
    if (picture.firstChild !== null) return;
    const image = make("img", { src: `/v1/jobs/${job.id}/thumbnail.jpg`, alt: "", loading: "lazy", width: "112", height: "63" });
    image.addEventListener("error", () => image.remove());
    picture.append(image);
  }
}

function metaOf(job) {
  const parts = [job.pipeline];
  if (job.video?.duration_s) parts.push(clock(job.video.duration_s, 0));
  if (job.video) parts.push(`${job.video.width} × ${job.video.height}`);
  const tracks = Object.values(job.summary?.tracks ?? {}).reduce((total, number) => total + number, 0);
  if (tracks > 0) parts.push(`${count(tracks)} tracks`);
  parts.push(ago(job.created_at));
  for (const [name, value] of Object.entries(job.labels ?? {})) parts.push(`${name}=${value}`);
  return parts;
}
