// The files that are being sent: a row each, until it is a job.

import { announce, make, setText } from "./element.js";
import { bytes, share } from "./text.js";
import { Upload } from "./upload.js";

export class Uploads {
  #element;
  #last = Promise.resolve();
  #open = 0;

  constructor(element) {
    this.#element = element;
    window.addEventListener("beforeunload", (event) => {
      if (this.#open > 0) event.preventDefault();
    });
  }

  /**
   * Send a file when those before it are sent, then submit it.
   *
   * @param {File} file
   * @param {(upload: string) => Promise<void>} submit makes the job; throws a Problem if refused
   */
  add(file, submit) {
    const row = new Row(file, submit, () => (this.#open -= 1));
    this.#open += 1;
    this.#element.append(row.element);
    this.#last = this.#last.then(() => row.run());
  }
}

class Row {
  #file;
  #submit;
  #onEnd;
  #upload;
  #id = null;
  #parts;

  constructor(file, submit, onEnd) {
    this.#file = file;
    this.#submit = submit;
    this.#onEnd = onEnd;
    this.#upload = new Upload(file, (sent) => this.#show(sent));
    this.element = this.#make();
  }

  #make() {
    const { name } = this.#file;
    const parts = {
      bar: make("progress", { max: String(this.#file.size), value: "0", "aria-label": `Upload of ${name}` }),
      text: make("span", { class: "figures" }, "Waiting"),
      error: make("p", { class: "error", role: "alert" }),
      pause: make("button", { type: "button", "aria-label": `Pause ${name}`, click: () => this.#pause() }, "Pause"),
      again: make("button", { type: "button", hidden: true, "aria-label": `Try ${name} again`, click: () => this.run() }, "Try again"),
    };
    this.#parts = parts;
    const cancel = make("button", { type: "button", "aria-label": `Cancel ${name}`, click: () => this.#cancel() }, "Cancel");
    return make(
      "li",
      { class: "upload" },
      make("div", { class: "upload-head" }, make("strong", { class: "name" }, name), parts.text),
      parts.bar,
      parts.error,
      make("p", { class: "actions" }, parts.again, parts.pause, cancel),
    );
  }

  #show(sent) {
    const { bar, text } = this.#parts;
    bar.value = sent;
    const part = this.#file.size > 0 ? share(sent / this.#file.size) : "";
    setText(text, `${part} · ${bytes(sent)} of ${bytes(this.#file.size)}`);
  }

  #pause() {
    const { pause, text } = this.#parts;
    const paused = pause.getAttribute("aria-pressed") !== "true";
    pause.setAttribute("aria-pressed", String(paused));
    if (!paused) return this.#upload.resume();
    setText(text, `Paused · ${text.textContent.replace(/^Paused · /, "")}`);
    return this.#upload.pause();
  }

  #cancel() {
    this.#upload.cancel();
    this.#end();
  }

  async run() {
    const { again, pause, error } = this.#parts;
    again.hidden = true;
    pause.hidden = false;
    setText(error, "");
    try {
      this.#id ??= await this.#upload.send();
      if (this.#id === null) return;
      pause.hidden = true;
      await this.#submit(this.#id);
      announce(`${this.#file.name} was uploaded and submitted.`);
      this.#end();
    } catch (problem) {
      setText(error, problem.message);
      pause.hidden = true;
      again.hidden = false;
    }
  }

  #end() {
    if (!this.element.isConnected) return;
    const had = this.element.contains(document.activeElement);
    this.element.remove();
    if (had) document.getElementById("jobs").focus();
    this.#onEnd();
  }
}
