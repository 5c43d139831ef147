// Shows openapi.json. Whatever comes from it becomes text, never markup; nothing is loaded from elsewhere.
"use strict";

/** An element with attributes and children; children that are text stay text. */
function el(name, attributes = {}, ...children) {
  const out = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) out.setAttribute(key, value);
  out.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return out;
}

const pretty = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));
const entries = (object) => Object.entries(object ?? {});

/** Every value that a schema describes: [{ name, schema, required }]. */
function fields(schema, name = "", required = true) {
  if (schema.properties) {
    return entries(schema.properties).flatMap(([key, inner]) => {
      const needed = required && (schema.required ?? []).includes(key);
      return fields(inner, name ? `${name}.${key}` : key, needed);
    });
  }
  const own = name && (schema.type || schema.description) ? [{ name, schema, required }] : [];
  const picked = (schema.items?.anyOf ?? []).flatMap((item) => {
    const [[key, { const: value }]] = entries(item.properties).filter(([, inner]) => "const" in inner);
    const rest = { ...item, properties: { ...item.properties } };
    delete rest.properties[key];
    return fields(rest, `${name}[${key}=${value}]`, required);
  });
  const ways = (schema.anyOf ?? []).flatMap((way) => fields(way, name, required));
  return picked.length ? picked : ways.length ? ways : own;
}

function typeOf({ type, format, anyOf }) {
  const names = [type ?? []].flat().filter((name) => name !== "null");
  if (anyOf) return anyOf.map(typeOf).join(" or ");
  return (names.join(" or ") || "anything") + (format && format !== "password" ? ` (${format})` : "");
}

function table(rows) {
  const head = ["Name", "In", "Type", "Rules"].map((text) => el("th", { scope: "col" }, text));
  const body = rows.map(({ name, place, schema, required, about }) =>
    el("tr", {},
      el("th", { scope: "row" }, el("code", {}, name)),
      el("td", {}, place),
      el("td", {}, typeOf(schema)),
      el("td", {}, rules(about, required))));
  const wide = { class: "wide", role: "group", tabindex: "0", "aria-label": "Fields" };
  return el("div", wide, el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, body)));
}

function rules(about, required) {
  if (about && (!required || /^required/i.test(about))) return about;
  return [required ? "Required." : "", about].filter(Boolean).join(" ") || "\u2013";
}

function read(operation) {
  const parameters = (operation.parameters ?? []).map(({ name, in: place, schema, required, description }) => ({
    name, place, schema, required, about: description,
  }));
  const content = Object.values(operation.requestBody.content)[0];
  const body = fields(content.schema).map((field) => ({
    ...field, place: "body", about: field.schema.description,
  }));
  return [...parameters, ...body];
}

function answers(responses) {
  return entries(responses).map(([status, { description, headers, content }]) => {
    const names = description.split("\n").map((line) => line.replace(/`/g, ""));
    const kind = status < 300 ? "good" : "bad";
    const examples = entries(content).flatMap(([media, { examples }]) =>
      entries(examples).flatMap(([name, { value }]) => [
        el("h4", {}, name, " ", el("span", { class: "faint" }, media)),
        el("pre", { tabindex: "0" }, pretty(value)),
      ]));
    const sent = entries(headers).map(([name, { example }]) => el("p", {}, el("code", {}, `${name}: ${example}`)));
    return el("details", status < 300 ? { open: "" } : {},
      el("summary", {}, el("strong", { class: kind }, status), names.join(" ")), sent, examples);
  });
}

/** A tree as the pairs of a form: user[email], tags[]. */
function pairs(value, key = "") {
  if (value === null) return [];
  if (Array.isArray(value)) return value.flatMap((item) => pairs(item, `${key}[]`));
  if (typeof value !== "object") return [[key, String(value)]];
  return entries(value).flatMap(([name, inner]) => pairs(inner, key ? `${key}[${name}]` : name));
}

function encode(media, text) {
  if (media.endsWith("json")) return text;
  const list = pairs(JSON.parse(text));
  if (media !== "multipart/form-data") return new URLSearchParams(list);
  const form = new FormData();
  for (const [name, value] of list) form.append(name, value);
  return form;
}

function labelled(text, control) {
  return el("label", {}, text, control);
}

function tryIt(path, operation) {
  const content = operation.requestBody.content;
  const media = el("select", {}, Object.keys(content).map((name) => el("option", { value: name }, name)));
  const body = el("textarea", { spellcheck: "false" });
  const example = () => Object.values(content[media.value].examples ?? {})[0]?.value ?? {};
  const fill = () => { body.value = pretty(example()); };
  media.addEventListener("change", fill);
  fill();
  const inputs = (operation.parameters ?? []).filter((p) => p.in !== "cookie").map((parameter) => {
    const { name, in: place, schema, required } = parameter;
    const input = el("input", { value: (schema.enum ?? [""])[0] ?? "", ...(required ? { required: "" } : {}) });
    return { name, place, input, label: labelled(`${name} (${place})`, input) };
  });
  const output = el("div", { role: "status" });
  const form = el("form", {},
    el("p", { class: "faint" }, "This is a real request to this server: when it succeeds, the account exists."),
    inputs.map(({ label }) => label), labelled("Content type", media),
    labelled(`Body, written as JSON${media.length > 1 ? " and sent as the content type says" : ""}`, body),
    el("button", {}, "Send"), output);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    output.replaceChildren(el("p", {}, "Sending."));
    try {
      output.replaceChildren(...(await send(path, media.value, body.value, inputs)));
    } catch (error) {
      output.replaceChildren(el("p", { class: "bad" }, `Nothing was sent: ${error.message}`));
    }
  });
  return form;
}

async function send(path, media, text, inputs) {
  // The page stands beside the endpoints, wherever all of them are mounted.
  const url = new URL(path.slice(1), new URL(".", location.href));
  const headers = new Headers();
  for (const { name, place, input } of inputs.filter(({ input }) => input.value !== "")) {
    if (place === "query") url.searchParams.append(name, input.value);
    else headers.append(name, input.value);
  }
  // The browser writes the boundary of a multipart body.
  if (media !== "multipart/form-data") headers.set("content-type", media);
  const response = await fetch(url, { method: "POST", headers, body: encode(media, text), redirect: "manual" });
  if (response.type === "opaqueredirect") return [el("p", {}, "The answer is a redirect.")];
  const answer = await response.text();
  const kind = response.ok ? "good" : "bad";
  let shown = answer;
  try { shown = pretty(JSON.parse(answer)); } catch { /* It is not JSON, and shown as it is. */ }
  const sent = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  return [
    el("h4", { class: kind }, `${response.status} ${response.statusText}`),
    el("pre", { tabindex: "0", "aria-label": "Headers" }, sent),
    answer ? el("pre", { tabindex: "0", "aria-label": "Body" }, shown) : el("p", {}, "The answer has no body."),
  ];
}

function endpoint(path, operation) {
  const samples = (operation["x-codeSamples"] ?? []).map(({ source }) => el("pre", { tabindex: "0" }, source));
  const id = operation.operationId;
  return el("section", { id, "aria-labelledby": `${id}-title` },
    el("h2", { id: `${id}-title` }, el("code", {}, `POST ${path}`)),
    el("p", {}, operation.summary),
    el("p", { class: "faint" }, `Reads ${Object.keys(operation.requestBody.content).join(", ")}.`),
    el("h3", {}, "Fields"), table(read(operation)),
    el("h3", {}, "Example"), samples,
    el("h3", {}, "Answers"), answers(operation.responses),
    el("h3", {}, "Try it"), tryIt(path, operation));
}

async function show() {
  const state = document.getElementById("state");
  try {
    const response = await fetch("openapi.json");
    if (!response.ok) throw new Error(`${response.status}`);
    const { info, paths } = await response.json();
    document.title = document.getElementById("title").textContent = `${info.title} API`;
    document.getElementById("about").textContent = info.description;
    const all = entries(paths).map(([path, { post }]) => [path, post]);
    document.getElementById("index").append(
      ...all.map(([path, post]) => el("li", {}, el("a", { href: `#${post.operationId}` }, path))));
    document.getElementById("main").append(...all.map(([path, post]) => endpoint(path, post)));
    state.textContent = "";
    document.getElementById(location.hash.slice(1))?.scrollIntoView();
  } catch (error) {
    state.textContent = `The endpoints cannot be shown: ${error.message}`;
  }
}

show();
