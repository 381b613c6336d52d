// Tabs: one panel of several is shown; arrow keys go from tab to tab.

import { setHidden } from "./element.js";

/** Wire the tabs within an element; `onChange` is told the name after "tab-" of the chosen one. */
export function wireTabs(element, onChange) {
  const tabs = [...element.querySelectorAll("[role=tab]")];
  const choose = (chosen) => {
    for (const tab of tabs) {
      const selected = tab === chosen;
      tab.setAttribute("aria-selected", String(selected));
      tab.tabIndex = selected ? 0 : -1;
      setHidden(document.getElementById(tab.getAttribute("aria-controls")), !selected);
    }
    onChange(chosen.id.replace("tab-", ""));
  };
  for (const tab of tabs) {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step === undefined) return;
      const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
      next.focus();
      choose(next);
    });
  }
}
