// The form that makes jobs: of an address, or of files.

import { call } from "./api.js";
import { announce, byId, make, setText } from "./element.js";
import { Problem } from "./problem.js";
import { choicesOf, makeField, schemaForm } from "./schema_form.js";
import { bytes, plural, readClock } from "./text.js";

const FORMATS = ["tracks", "jsonl", "csv", "mot", "coco", "parquet", "video"];
const DEFAULT_FORMATS = ["tracks", "jsonl", "csv", "mot", "coco"];

export class SubmitForm {
  #uploads;
  #onJob;
  #files = [];
  #pipelines = new Map();
  #params = null;
  #more = moreOptions();

  /** @param {{uploads: object, onJob: (job: object) => void}} to */
  constructor({ uploads, onJob }) {
    this.#uploads = uploads;
    this.#onJob = onJob;
  }

  async start() {
    byId("submit").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    byId("files").addEventListener("change", (event) => this.#choose([...event.target.files]));
    byId("source-url").addEventListener("input", () => this.#choose([]));
    byId("pipeline").addEventListener("change", () => this.#showPipeline());
    this.#acceptDrops();
    this.#choose([...byId("files").files]); // there may be some since before this code was loaded
    try {
      const answer = await call("/v1/pipelines");
      this.#pipelines = new Map(answer.pipelines.map((pipeline) => [pipeline.name, pipeline]));
      byId("pipeline").replaceChildren(
        ...answer.pipelines.map((pipeline) => make("option", { value: pipeline.name, selected: pipeline.default }, pipeline.name)),
      );
    } catch (problem) {
      this.#complain(problem);
    }
    this.#showPipeline();
    byId("start").disabled = false;
  }

  /** Files may be dropped anywhere on the page. */
  #acceptDrops() {
    const drop = byId("drop");
    const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
    document.addEventListener("dragover", (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      drop.classList.add("over");
    });
    document.addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) drop.classList.remove("over");
    });
    document.addEventListener("drop", (event) => {
      drop.classList.remove("over");
      if (!carriesFiles(event)) return;
      event.preventDefault();
      byId("source-url").value = "";
      this.#choose([...event.dataTransfer.files]);
    });
  }

  #choose(files) {
    this.#files = files;
    this.#clear();
    const size = files.reduce((total, file) => total + file.size, 0);
    const name = files.length === 1 ? files[0].name : plural(files.length, "file");
    const text = files.length === 0
      ? [make("strong", {}, "Choose a video"), " or drop it here"]
      : [make("strong", {}, name), ` ${bytes(size)}`];
    byId("drop-text").replaceChildren(...text);
    byId("drop").classList.toggle("chosen", files.length > 0);
    if (files.length > 0) announce(`${name}, ${bytes(size)}, chosen.`);
    else byId("files").value = "";
  }

  #showPipeline() {
    const pipeline = this.#pipelines.get(byId("pipeline").value);
    setText(byId("pipeline-hint"), pipeline?.summary ?? "");
    this.#params = schemaForm(pipeline?.schema ?? {}, "params");
    byId("params").replaceChildren(...this.#params.foremost);
    byId("more").replaceChildren(...this.#more.elements, ...this.#params.others);
  }

  async #submit() {
    this.#clear();
    const url = byId("source-url").value.trim();
    if (this.#files.length === 0 && url === "") {
      return this.#complainAt("source_url", "Choose a file, or enter the address of a video.");
    }
    if (this.#files.length === 0 && !/^https?:\/\/[^\s/]/i.test(url)) {
      return this.#complainAt("source_url", "Enter an address that begins with http:// or https://.");
    }
    const wrong = byId("submit").querySelector(":invalid");
    if (wrong !== null) return this.#complainAt(wrong.name, wrong.validationMessage);
    const options = this.#options();
    if (options === null) return null;
    if (this.#files.length > 0) return this.#send(options);
    return this.#make({ ...options, source_url: url });
  }

  /** Everything but the video; null if something is wrong, which is then said. */
  #options() {
    this.#clear();
    const { values, problem } = this.#more.read();
    if (problem) {
      this.#complainAt(problem.field, problem.message);
      return null;
    }
    const params = this.#params.read();
    return {
      pipeline: byId("pipeline").value || undefined,
      ...(Object.keys(params).length > 0 ? { params } : {}),
      ...values,
    };
  }

  #send(options) {
    for (const file of this.#files) {
      let wanted = options;
      this.#uploads.add(file, async (upload) => {
        wanted ??= this.#options();
        if (wanted === null) throw new Problem("Correct the options, then try again.");
        try {
          const body = { source_name: file.name, ...wanted, upload };
          this.#onJob(await call("/v1/jobs", { method: "POST", body }));
        } catch (problem) {
          // Options that were refused are read from the form anew when it is tried again.
          if (problem.status === 422) wanted = null;
          this.#complain(problem);
          throw problem;
        }
      });
    }
    announce(`${plural(this.#files.length, "upload")} started.`);
    this.#choose([]);
  }

  async #make(body) {
    const button = byId("start");
    button.disabled = true;
    try {
      const job = await call("/v1/jobs", { method: "POST", body });
      byId("source-url").value = "";
      announce(`${job.source.name} was submitted.`);
      this.#onJob(job);
    } catch (problem) {
      this.#complain(problem);
    }
    button.disabled = false;
  }

  #complain(problem) {
    const homeless = (problem.fields ?? []).filter(({ field, message }) => !this.#mark(field, message));
    const marked = byId("submit").querySelector("[aria-invalid]");
    if (marked === null || homeless.length > 0) {
      setText(byId("submit-error"), [problem.message, ...homeless.map((one) => one.message)].join(" "));
    }
    marked?.focus();
  }

  #complainAt(field, message) {
    if (!this.#mark(field, message)) setText(byId("submit-error"), message);
    byId("submit").querySelector("[aria-invalid]")?.focus();
  }

  /** Say what is wrong beside the field; false if there is no such field. */
  #mark(field, message) {
    const place = [...byId("submit").querySelectorAll("[data-field]")].find(
      (element) => element.dataset.field === field || field.startsWith(`${element.dataset.field}.`),
    );
    if (place === undefined) return false;
    setText(place.querySelector(".error"), message);
    place.querySelector("input, select, textarea").setAttribute("aria-invalid", "true");
    const details = place.closest("details");
    if (details !== null) details.open = true;
    return true;
  }

  #clear() {
    for (const error of byId("submit").querySelectorAll(".error")) setText(error, "");
    for (const input of byId("submit").querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
  }
}

/** The options that every pipeline has: time range, outputs, name, labels. */
function moreOptions() {
  const text = (placeholder) => ({ input: make("input", { type: "text", autocomplete: "off", placeholder }) });
  const [start, end, name, labels] = [text("0:00"), text("end"), text("from the file"), text("site=north, day=mon")];
  const outputs = choicesOf({ items: { enum: FORMATS }, default: DEFAULT_FORMATS }, "outputs");
  const read = () => {
    const values = {};
    for (const [field, { input }] of [["start_s", start], ["end_s", end]]) {
      if (input.value.trim() === "") continue;
      values[field] = readClock(input.value);
      if (Number.isNaN(values[field])) {
        return { problem: { field, message: "Enter a time such as 90, 1:30 or 1:02:03.5." } };
      }
    }
    if (name.input.value.trim() !== "") values.source_name = name.input.value.trim();
    const pairs = labels.input.value.split(",").filter((pair) => pair.trim() !== "");
    if (pairs.some((pair) => !/[=:]/.test(pair))) {
      return { problem: { field: "labels", message: "Write labels as name=value, separated by commas." } };
    }
    if (pairs.length > 0) {
      values.labels = Object.fromEntries(pairs.map((pair) => pair.split(/[=:](.*)/s, 2).map((part) => part.trim())));
    }
    const chosen = outputs.read();
    if (chosen !== undefined) values.outputs = chosen;
    return { values };
  };
  const group = make(
    "fieldset",
    { class: "field", "data-field": "outputs" },
    make("legend", {}, "Outputs"),
    outputs.group,
    make("p", { class: "error" }),
  );
  const elements = [
    makeField(start, { title: "From", path: "start_s", kind: "half" }),
    makeField(end, { title: "To", path: "end_s", kind: "half" }),
    group,
    makeField(name, { title: "Name", path: "source_name" }),
    makeField(labels, { title: "Labels", path: "labels" }),
  ];
  return { elements, read };
}
