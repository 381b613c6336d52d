// A form for the parameters of a pipeline, made from their JSON Schema.

import { make } from "./element.js";

/** Parameters that are asked for at once; all others are options for those who look for them. */
const FOREMOST = ["detector", "tracker", "classes", "confidence"];
const FEW = 4;

/**
 * Make the fields for the properties of a schema.
 *
 * @param {object} schema of an object; `if`, `then`, `else` may rule properties out
 * @param {string} prefix of the fields' names, such as "params"
 * @returns {{foremost: Element[], others: Element[], read: () => object}} `read` gives what differs
 *   from the defaults
 */
export function schemaForm(schema, prefix) {
  const properties = Object.entries(schema.properties ?? {});
  const fields = properties.map(([name, property]) => ({
    ...fieldOf(name, resolve(property, schema), `${prefix}.${name}`),
    preset: property.default,
    foremost: properties.length <= FEW || FOREMOST.includes(name),
  }));
  const update = () => showFitting(fields, schema);
  for (const { element } of fields) element.addEventListener("change", update);
  update();
  const elements = (foremost) => fields.filter((field) => field.foremost === foremost).map((field) => field.element);
  return { foremost: elements(true), others: elements(false), read: () => readAll(fields) };
}

function readAll(fields) {
  const given = fields.filter(({ element }) => !element.hidden).map(({ name, read }) => [name, read()]);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/** Hide the fields that the schema rules out beside the values of the others. */
function showFitting(fields, schema) {
  const values = Object.fromEntries(fields.map(({ name, read, preset }) => [name, read() ?? preset]));
  const rules = [schema, ...(schema.allOf ?? [])].filter((rule) => rule.if !== undefined);
  const chosen = rules.map((rule) => (holds(rule.if, values) ? rule.then : rule.else)?.properties ?? {});
  for (const { name, element } of fields) element.hidden = chosen.some((properties) => properties[name] === false);
}

const holds = (condition, values) =>
  Object.entries(condition.properties ?? {}).every(([name, rule]) =>
    "const" in rule ? values[name] === rule.const : (rule.enum?.includes(values[name]) ?? true),
  );

/** Follow references, and take the first choice that is not null. */
function resolve(property, root) {
  const { $ref, anyOf, oneOf, allOf, ...rest } = property;
  if ($ref) {
    const target = $ref.replace(/^#\//, "").split("/").reduce((at, part) => at[part], root);
    return { ...resolve(target, root), ...rest };
  }
  const choice = (anyOf ?? oneOf ?? allOf)?.find((option) => option.type !== "null");
  if (choice) return { ...resolve(choice, root), ...rest };
  const type = Array.isArray(property.type) ? property.type.find((name) => name !== "null") : property.type;
  return { ...property, type };
}

/** In a form, what is null in JSON is a field that is left empty. */
const hintOf = ({ description }) => description?.replaceAll(/\bnull:/g, "empty:");

function fieldOf(name, property, path) {
  const control = controlOf(property, path);
  const title = property.title ?? name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ");
  const kind = { number: "short", integer: "short", boolean: "check" }[property.type] ?? "";
  const about = { title, path, hint: hintOf(property), kind };
  const element = control.group ? makeGroup(control, about) : makeField(control, about);
  return { name, element, read: control.read };
}

/**
 * Make a labelled control with room for a hint and for what is wrong with it.
 *
 * @param {{input: Element}} control
 * @param {{title: string, path: string, hint?: string, kind?: string}} about `kind`: "short" for
 *   a control beside its label, "check" for one before it
 */
export function makeField(control, { title, path, hint, kind = "" }) {
  const id = idOf(path);
  control.input.id = id;
  control.input.name = path;
  control.input.setAttribute("aria-describedby", `${id}-hint ${id}-error`);
  const label = make("label", { for: id }, title);
  return make(
    "div",
    { class: `field ${kind}`, "data-field": path },
    ...(kind === "check" ? [control.input, label] : [label, control.input]),
    make("p", { class: "hint", id: `${id}-hint` }, hint ?? ""),
    make("p", { class: "error", id: `${id}-error` }),
  );
}

function makeGroup(control, { title, path, hint }) {
  const id = idOf(path);
  return make(
    "fieldset",
    { class: "field", "data-field": path, "aria-describedby": `${id}-hint ${id}-error` },
    make("legend", {}, title),
    control.group,
    make("p", { class: "hint", id: `${id}-hint` }, hint ?? ""),
    make("p", { class: "error", id: `${id}-error` }),
  );
}

const idOf = (path) => `field-${path.replace(/[^\w]/g, "-")}`;

function controlOf(property, path) {
  if (property.enum) return choiceOf(property);
  if (property.type === "boolean") return switchOf(property);
  if (property.type === "number" || property.type === "integer") return numberOf(property);
  if (property.type === "array" && property.items?.enum) return choicesOf(property, path);
  if (property.type === "array") return listOf(property);
  return textOf(property);
}

function choiceOf(property) {
  const options = property.enum.filter((value) => value !== null);
  const input = make(
    "select",
    {},
    ...(property.default === undefined || property.default === null
      ? [make("option", { value: "" }, "default")]
      : []),
    ...options.map((value) =>
      make("option", { value: String(value), selected: value === property.default }, String(value)),
    ),
  );
  const read = () => {
    const value = options.find((option) => String(option) === input.value);
    return value === property.default ? undefined : value;
  };
  return { input, read };
}

function switchOf(property) {
  const input = make("input", { type: "checkbox", checked: property.default === true });
  const read = () => (input.checked === (property.default ?? false) ? undefined : input.checked);
  return { input, read };
}

function numberOf(property) {
  const input = make("input", {
    type: "number",
    inputmode: property.type === "integer" ? "numeric" : "decimal",
    step: property.multipleOf ?? (property.type === "integer" ? 1 : "any"),
    min: property.minimum ?? property.exclusiveMinimum,
    max: property.maximum ?? property.exclusiveMaximum,
    placeholder: typeof property.default === "number" ? String(property.default) : "default",
  });
  return { input, read: () => (input.value === "" ? undefined : Number(input.value)) };
}

function listOf(property) {
  const input = make("input", {
    type: "text",
    autocomplete: "off",
    placeholder: property.default?.length ? property.default.join(", ") : "all",
  });
  const types = [property.items, ...(property.items?.anyOf ?? [])].map((item) => item?.type);
  const numbers = types.includes("integer") || types.includes("number");
  const read = () => {
    const parts = input.value.split(",").map((part) => part.trim()).filter((part) => part !== "");
    return parts.length === 0 ? undefined : parts.map((part) => (numbers && /^\d+$/.test(part) ? Number(part) : part));
  };
  return { input, read };
}

/** Several of a fixed set; what is ticked at first is the default. */
export function choicesOf(property, path) {
  const preset = new Set(property.default ?? []);
  const boxes = property.items.enum.map((value) =>
    make("input", { type: "checkbox", name: path, value: String(value), checked: preset.has(value) }),
  );
  const group = make(
    "div",
    { class: "choices" },
    ...boxes.map((box) => make("label", {}, box, make("span", {}, box.value))),
  );
  const read = () => {
    const chosen = property.items.enum.filter((_, at) => boxes[at].checked);
    const same = chosen.length === preset.size && chosen.every((value) => preset.has(value));
    return same ? undefined : chosen;
  };
  return { group, read };
}

function textOf(property) {
  const input = make("input", {
    type: "text",
    autocomplete: "off",
    maxlength: property.maxLength,
    placeholder: typeof property.default === "string" ? property.default : "default",
  });
  return { input, read: () => (input.value.trim() === "" ? undefined : input.value.trim()) };
}
