// The list of jobs: what is shown of it is kept up to date.

import { call, withQuery } from "./api.js";
import { announce, byId, make, setHidden, setText } from "./element.js";
import { JobRow } from "./job_row.js";
import { STATES } from "./text.js";

const PAGE = 30;
const BUSY_MS = 1000;
const IDLE_MS = 4000;
const TYPING_MS = 250;
const MOST_SINGLE = 20;
const FILTERS = {
  "": "Any state",
  active: "Active",
  succeeded: "Succeeded",
  failed: "Failed",
  canceled: "Canceled",
  expired: "Expired",
};
const ACTIVE = ["queued", "running", "finalizing", "canceling"];

export class JobList {
  #rows = new Map();
  #cursor = null;
  #timer = null;
  #round = 0;

  start() {
    const status = byId("filter-status");
    status.append(...Object.entries(FILTERS).map(([value, text]) => make("option", { value }, text)));
    const query = new URLSearchParams(location.search);
    status.value = query.get("status") in FILTERS ? query.get("status") : "";
    byId("filter-text").value = query.get("q") ?? "";
    status.addEventListener("change", () => this.#filter());
    let typing = null;
    byId("filter-text").addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => this.#filter(), TYPING_MS);
    });
    byId("filter").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#filter();
    });
    byId("show-more").addEventListener("click", () => this.#showMore());
    document.addEventListener("visibilitychange", () => this.#refresh());
    this.#filter();
  }

  /** Show a job that was just made, whatever the filter says; the next refresh decides. */
  add(job) {
    this.#show([job], { first: true });
    this.#schedule(0);
  }

  #query() {
    const status = byId("filter-status").value;
    return { status: status === "active" ? ACTIVE : status, q: byId("filter-text").value.trim(), limit: PAGE };
  }

  #filter() {
    const shown = { status: byId("filter-status").value, q: byId("filter-text").value.trim() };
    history.replaceState(null, "", withQuery(location.pathname, shown));
    this.#round += 1;
    this.#refresh({ fresh: true });
  }

  #schedule(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#refresh(), ms);
  }

  /** Ask for the first page, and for active jobs that are shown below it. */
  async #refresh({ fresh = false } = {}) {
    clearTimeout(this.#timer);
    if (document.hidden && !fresh) return;
    const round = this.#round;
    try {
      const page = await call(withQuery("/v1/jobs", this.#query()));
      if (round !== this.#round) return;
      if (fresh) this.#replace(page);
      else await this.#merge(page);
      setText(byId("jobs-error"), "");
      setText(byId("connection"), "");
    } catch (problem) {
      if (round !== this.#round) return;
      if (fresh) setText(byId("jobs-error"), problem.message);
      else setText(byId("connection"), "Connection lost; trying again");
    }
    const busy = [...this.#rows.values()].some((row) => !row.job.terminal);
    if (round === this.#round) this.#schedule(busy ? BUSY_MS : IDLE_MS);
  }

  #replace(page) {
    const wanted = new Set(page.jobs.map((job) => job.id));
    for (const id of [...this.#rows.keys()]) if (!wanted.has(id)) this.#remove(id);
    this.#show(page.jobs);
    this.#cursor = page.next_cursor ?? null;
    this.#showEnds();
  }

  async #merge(page) {
    const listed = new Set(page.jobs.map((job) => job.id));
    const oldest = page.jobs.at(-1)?.id ?? "";
    // Of the part of the list that the first page covers, what is not in it is gone.
    for (const id of [...this.#rows.keys()]) {
      if (!listed.has(id) && (page.next_cursor === null || id > oldest)) this.#remove(id);
    }
    this.#show(page.jobs, { first: true });
    const below = [...this.#rows.values()].filter((row) => !row.job.terminal && !listed.has(row.job.id));
    const answers = await Promise.allSettled(
      below.slice(0, MOST_SINGLE).map((row) => call(`/v1/jobs/${row.job.id}`)),
    );
    this.#show(answers.filter((answer) => answer.status === "fulfilled").map((answer) => answer.value));
    this.#showEnds();
  }

  /** Show jobs in their order; ids grow with time, and the newest comes first. */
  #show(jobs) {
    for (const job of jobs) {
      const known = this.#rows.get(job.id);
      if (known !== undefined) {
        this.#tell(known.job, job);
        known.show(job);
      } else this.#insert(new JobRow(job, (change) => this.#changed(job.id, change)));
    }
    this.#showEnds();
  }

  #insert(row) {
    const older = [...this.#rows.keys()].filter((id) => id < row.job.id).sort().pop();
    byId("job-list").insertBefore(row.element, older ? this.#rows.get(older).element : null);
    this.#rows.set(row.job.id, row);
  }

  #tell(before, after) {
    if (!before.terminal && after.terminal) announce(`${after.source.name}: ${STATES[after.status]}.`);
  }

  #changed(id, job) {
    if (job === null) this.#remove(id, { focusNext: true });
    else this.#show([job]);
    this.#schedule(0);
  }

  #remove(id, { focusNext = false } = {}) {
    const { element } = this.#rows.get(id) ?? {};
    if (element === undefined) return;
    const next = element.nextElementSibling ?? element.previousElementSibling;
    element.remove();
    this.#rows.delete(id);
    if (focusNext) (next?.querySelector("a") ?? byId("jobs")).focus();
    this.#showEnds();
  }

  #showEnds() {
    const { status, q } = this.#query();
    const filtered = status !== "" || q !== "";
    setText(byId("jobs-empty"), filtered ? "No job fits the filter." : "No jobs yet. Submit a video, and it appears here.");
    setHidden(byId("jobs-empty"), this.#rows.size > 0);
    setHidden(byId("show-more"), this.#cursor === null);
  }

  async #showMore() {
    const button = byId("show-more");
    button.disabled = true;
    try {
      const page = await call(withQuery("/v1/jobs", { ...this.#query(), cursor: this.#cursor }));
      this.#cursor = page.next_cursor ?? null;
      this.#show(page.jobs);
      const first = this.#rows.get(page.jobs[0]?.id);
      first?.element.querySelector("a").focus();
    } catch (problem) {
      setText(byId("jobs-error"), problem.message);
    }
    button.disabled = false;
  }
}
