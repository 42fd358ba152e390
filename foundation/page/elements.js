"use strict";

const PAGE = JSON.parse(document.getElementById("page-data").textContent);

/** Make an element. Texts become text nodes: nothing of the data is ever parsed as HTML. */
function el(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, handler] of Object.entries(value)) made.addEventListener(event, handler);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/** Tell those who hear the page. */
function say(text) { document.getElementById("spoken").textContent = text; }

/** A button that changes between light and dark; the first is what the system prefers. `changed` is called after it. */
function themeButton(changed) {
  const root = document.documentElement;
  const caption = () => (root.dataset.theme === "dark" ? "Light colours" : "Dark colours");
  root.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const button = el("button", { type: "button", id: "theme", on: { click: () => {
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    button.textContent = caption();
    changed();
  } } }, caption());
  return button;
}

/** Save an object as a file of JSON. */
function saveJson(name, content) {
  const file = new Blob([JSON.stringify(content, null, 1)], { type: "application/json" });
  const link = el("a", { href: URL.createObjectURL(file), download: `${name.replace(/[^\w.-]+/g, "_")}.json` });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
