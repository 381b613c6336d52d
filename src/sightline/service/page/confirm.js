// A question before something that cannot be undone.

import { make } from "./element.js";

/** Ask; true if the answer is yes. Focus returns to where it was. */
export function confirm({ title, text, yes }) {
  return new Promise((done) => {
    const dialog = make(
      "dialog",
      { "aria-labelledby": "confirm-title", "aria-describedby": "confirm-text" },
      make(
        "form",
        { method: "dialog" },
        make("h2", { id: "confirm-title" }, title),
        make("p", { id: "confirm-text" }, text),
        make(
          "p",
          { class: "actions" },
          make("button", { value: "no", autofocus: true }, "Keep"),
          make("button", { value: "yes", class: "danger" }, yes),
        ),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      done(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
