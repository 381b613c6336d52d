// Elements of the page. What comes from users goes in as text, never as markup.

export const byId = (id) => document.getElementById(id);

/**
 * Make an element. Attributes that are functions are listeners ("click"), `true` is an attribute
 * without a value; null, undefined and false leave the attribute out. Children that are strings
 * become text; null children are left out.
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Make an element of SVG, as `make` does. */
export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Write text only where it changed, so that a selection and a screen reader are left in peace. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Show or hide; the browser is left in peace where nothing changes. */
export function setHidden(element, hidden) {
  if (element.hidden !== hidden) element.hidden = hidden;
}

let announcer = null;

/** Say something once to screen readers. */
export function announce(text) {
  announcer ??= byId("announcer");
  announcer.textContent = text;
}
