// The head of every page: who is signed in, and the way out.

import { call } from "./api.js";
import { byId } from "./element.js";

/** Offer to sign out where a key is in use. */
export async function showHeader() {
  const button = byId("sign-out");
  button.addEventListener("click", async () => {
    await call("/v1/session", { method: "DELETE" }).catch(() => {});
    location.assign("/");
  });
  try {
    const me = await call("/v1/me");
    button.hidden = me.authority !== "cookie";
    button.title = `Signed in as ${me.name}`;
  } catch {
    // The page's own requests tell what is wrong.
  }
}
