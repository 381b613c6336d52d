// Asking for a key, over whatever page is shown; nothing of the page is lost.

import { make, setText } from "./element.js";
import { Problem, UNREACHABLE } from "./problem.js";

let asking = null;

/** Show the form until the server accepts a key; those who ask meanwhile wait for the same one. */
export function signIn() {
  asking ??= ask().finally(() => {
    asking = null;
  });
  return asking;
}

function ask() {
  return new Promise((done) => {
    let accepted = false;
    const dialog = makeDialog(async (key, complain) => {
      const problem = await open(key);
      if (problem !== null) return complain(problem);
      accepted = true;
      dialog.close();
      dialog.remove();
      return done();
    });
    document.body.append(dialog);
    // Browsers let nobody keep a dialog open; it comes back until it has done its work.
    dialog.addEventListener("close", () => accepted || dialog.showModal());
    dialog.showModal();
  });
}

async function open(key) {
  try {
    const response = await fetch("/v1/session", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ key }),
    });
    if (response.ok) return null;
    if (response.status === 401) return "The server does not know this key, or it was revoked.";
    return (await Problem.from(response)).message;
  } catch {
    return UNREACHABLE;
  }
}

function makeDialog(submit) {
  const input = make("input", {
    id: "sign-in-key",
    type: "password",
    autocomplete: "current-password",
    required: true,
    "aria-describedby": "sign-in-hint sign-in-error",
  });
  const error = make("p", { id: "sign-in-error", class: "error", role: "alert" });
  const button = make("button", { class: "primary" }, "Sign in");
  const complain = (text) => {
    setText(error, text);
    input.setAttribute("aria-invalid", "true");
    button.disabled = false;
    input.select();
  };
  const form = make(
    "form",
    {
      novalidate: true,
      submit: (event) => {
        event.preventDefault();
        const key = input.value.trim();
        if (key === "") return complain("Enter a key.");
        button.disabled = true;
        return submit(key, complain);
      },
    },
    make("h2", { id: "sign-in-title" }, "Sign in"),
    make(
      "p",
      { id: "sign-in-hint", class: "hint" },
      "This server asks for a key. Its operator makes one with ",
      make("code", {}, "sightline keys"),
      ".",
    ),
    // A name for the password managers of browsers to keep the key under.
    make("input", { type: "text", autocomplete: "username", value: "Sightline", hidden: true }),
    make("label", { for: "sign-in-key" }, "Key"),
    input,
    error,
    make("p", { class: "actions" }, button),
  );
  return make("dialog", { class: "sign-in", "aria-labelledby": "sign-in-title" }, form);
}
