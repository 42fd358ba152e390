const COLOURS = {
  __proto__: null, // an outcome may be called like what every object has
  kept: "#2e9e63", trimmed: "#b9c0c8", undecodable: "#6b4c9a", not_asked: "#d3d8de", no_face: "#8c564b",
  several_faces: "#9467bd", small_face: "#d9a400", cut: "#7f7f7f", frontal: "#e377c2", jitter: "#ff7f0e",
  mask: "#17a2b8", silence: "#3b7dd8", still_face: "#9aa11b", not_speaking: "#d62728", sync: "#c2185b",
  too_short: "#8d99a6",
};
const OWN_COLOURS = ["#6a3d9a", "#00897b", "#b15928", "#5d6d1e"];

function colourOf(outcome) {
  if (COLOURS[outcome]) return COLOURS[outcome];
  const own = PAGE.outcomes.filter((name) => !COLOURS[name]);
  return OWN_COLOURS[Math.max(0, own.indexOf(outcome)) % OWN_COLOURS.length];
}

/** A text for plotly, which reads a few tags in its labels. */
function plain(text) {
  return String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function words(outcome) { return outcome.replaceAll("_", " "); }

function clock(seconds) {
  const hundredths = Math.round(seconds * 100);
  const minutes = Math.floor(hundredths / 6000);
  return `${minutes}:${String(Math.floor((hundredths % 6000) / 100)).padStart(2, "0")}.${String(hundredths % 100).padStart(2, "0")}`;
}

function figure(value) {
  if (value === null || value === undefined) return "not measured";
  const size = Math.abs(value);
  return size !== 0 && (size < 0.001 || size >= 100000) ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}

function timeUnit(longest) {
  if (longest < 600) return { name: "s", seconds: 1 };
  return longest < 36000 ? { name: "min", seconds: 60 } : { name: "h", seconds: 3600 };
}

function inUnit(seconds, unit) {
  return (seconds / unit.seconds).toLocaleString("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
}

function sum(numbers) { return numbers.reduce((total, number) => total + number, 0); }

function distinct(values) { return [...new Set(values)].sort(); }

let fields = 0;

/** A control under its label. */
function field(label, control) {
  fields += 1;
  control.id = `field-${fields}`;
  return el("div", { class: "field" }, el("label", { for: control.id }, label), control);
}

/** A labelled choice; `change` is called with the value. */
function choice(label, options, change, chosen) {
  const select = el("select", { on: { change: () => change(select.value) } },
    options.map(([value, text]) => el("option", { value, selected: value === chosen }, text)));
  return field(label, select);
}

function section(id, title, text) {
  const made = el("section", { id, "aria-labelledby": `${id}-title` }, el("h2", { id: `${id}-title` }, title));
  if (text) made.append(el("p", {}, ...[text].flat()));
  document.getElementById("content").append(made);
  return made;
}

function table(caption, columns, rows, numeric) {
  const cell = (tag, text, i) => el(tag, { class: numeric[i] ? "number" : null, scope: tag === "th" ? "col" : null }, text);
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el("table", {}, el("caption", { class: "unseen" }, caption),
      el("thead", {}, el("tr", {}, columns.map((text, i) => cell("th", text, i)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, row.map((text, i) => cell("td", text, i)))))));
}

/** Buttons for one page of a long list; `show` is called with the range of items. */
function pager(host, size, show) {
  let first = 0, count = 0;
  const text = el("span", { "aria-live": "polite" });
  const move = (step) => { first = Math.max(0, Math.min(first + step * size, count - 1)); draw(); host.scrollIntoView({ block: "start" }); };
  const back = el("button", { type: "button", on: { click: () => move(-1) } }, "Previous");
  const next = el("button", { type: "button", on: { click: () => move(1) } }, "Next");
  const bar = el("div", { class: "pager" }, back, text, next);
  function draw() {
    const end = Math.min(first + size, count);
    text.textContent = count ? `${first + 1} to ${end} of ${count}` : "none";
    back.disabled = first === 0;
    next.disabled = end >= count;
    show(first, end);
  }
  return { bar, reset(n) { count = n; first = 0; draw(); } };
}

const charts = new Map();

function themeColour(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

function drawChart(host, make) {
  const { traces, layout } = make();
  const ink = themeColour("--ink"), line = themeColour("--line");
  const axis = { gridcolor: line, linecolor: line, zerolinecolor: line, automargin: true, fixedrange: true };
  const full = { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: ink, size: 12, family: "system-ui, sans-serif" },
    margin: { l: 8, r: 8, t: 8, b: 36 }, showlegend: false, dragmode: false,
    hoverlabel: { bgcolor: themeColour("--raised"), bordercolor: line, font: { color: ink }, align: "left", namelength: -1 }, ...layout };
  for (const name of Object.keys(full).filter((key) => /^[xy]axis/.test(key))) full[name] = { ...axis, ...full[name] };
  Plotly.react(host, traces, full, { displayModeBar: false, responsive: true });
  host.dataset.drawn = "yes";
}

const whenSeen = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting && charts.has(entry.target)) {
    whenSeen.unobserve(entry.target);
    drawChart(entry.target, charts.get(entry.target));
  }
}, { rootMargin: "300px" });

/** A chart that is drawn once it comes into view; `make` returns plotly's traces and layout. */
function chart(label, height, make) {
  const host = el("div", { class: "chart", role: "img", "aria-label": label, style: `height:${height}px` });
  charts.set(host, make);
  whenSeen.observe(host);
  return host;
}

function redraw(host) { if (host.dataset.drawn) drawChart(host, charts.get(host)); }

function forget(host) {
  for (const inner of host.querySelectorAll(".chart")) {
    if (inner.dataset.drawn) Plotly.purge(inner);
    charts.delete(inner);
    whenSeen.unobserve(inner);
  }
  host.replaceChildren();
}

function redrawAll() { for (const host of charts.keys()) redraw(host); }

function legend(outcomes) {
  return el("ul", { class: "legend", "aria-label": "Colours" },
    outcomes.map((name) => el("li", {}, el("span", { style: `background:${colourOf(name)}`, "aria-hidden": "true" }), words(name))));
}
