const TITLES = {
  reconstruction: "Self-reconstruction",
  reenactment: "Cross-reenactment",
  speech: "Speech-driven results",
};

/** A table that scrolls by itself where it is wider than the window, by keys, too, below a note that does not. */
function scrolling(label, table, note) {
  return el("div", {}, note ? el("p", { class: "note" }, note) : null,
    el("div", { class: "scroll", role: "region", "aria-label": label, tabindex: 0 }, table));
}

function counted(n, name) {
  return `${n} ${n === 1 ? name : `${name}s`}`;
}

function cell(row, column, best) {
  const found = row.cells[column.key];
  if (!found) return el("td", { class: "faint" }, "–");
  return el("td", { class: best && found.value === best ? "best" : null }, found.value,
    found.interval ? el("span", { class: "interval" }, `[${found.interval[0]}, ${found.interval[1]}]`) : null);
}

function figures() {
  const head = el("tr", {}, el("th", { scope: "col" }, "System"),
    PAGE.columns.map((one) => el("th", { scope: "col" }, one.heading)), el("th", { scope: "col" }, "videos"),
    el("th", { scope: "col" }, "frames"));
  const row = (one, truth) => el("tr", { class: truth ? "of-truth" : null }, el("th", { scope: "row" }, one.system),
    PAGE.columns.map((column) => cell(one, column, truth ? null : PAGE.best[column.key])),
    el("td", {}, String(one.videos)), el("td", {}, String(one.frames)));
  return scrolling("Figures of the systems", el("table", {},
    el("thead", {}, head), el("tbody", {}, PAGE.rows.map((one) => row(one, false)), row(PAGE.truth, true))),
    "Below each figure its 95 % interval over videos. Arrows show which figures are better; the best is bold.");
}

function tests() {
  const names = ["Systems", "Column", "Difference", "95 % interval", "p", "p, adjusted", "Videos"];
  return scrolling("Differences between systems", el("table", {},
    el("thead", {}, el("tr", {}, names.map((name, i) => el("th", { scope: "col", class: i < 2 ? "left" : null }, name)))),
    el("tbody", {}, PAGE.tests.map((row) => el("tr", {}, row.map((text, i) => (i === 0
      ? el("th", { scope: "row" }, text) : el("td", { class: i === 1 ? "left" : null }, text))))))),
    "The first system less the second, on the same videos; p by changes of sign, adjusted for all tests by Holm's method.");
}

function published() {
  return scrolling("Figures of the paper", el("table", {},
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "System"),
      PAGE.published.columns.map((name) => el("th", { scope: "col" }, name)), el("th", { scope: "col" }, "table"))),
    el("tbody", {}, PAGE.published.rows.map((row) => el("tr", {}, el("th", { scope: "row" }, row.system),
      row.figures.map((figure) => el("td", {}, figure === null ? "–" : figure)), el("td", {}, String(row.table)))))),
    "The paper's own figures, of its own videos and landmarks.");
}

function strips(video) {
  const head = el("tr", {}, el("th", { scope: "col" }, el("span", { class: "unseen" }, "System")),
    video.times.map((time) => el("th", { scope: "col" }, time)));
  const row = (strip) => el("tr", {}, el("th", { scope: "row" }, strip.system), video.times.map((time, i) => el("td", {},
    strip.pictures[i] ? el("img", { src: strip.pictures[i], width: video.width, height: video.height,
      alt: `${strip.system} at ${time}` }) : el("span", { class: "faint" }, "ended"))));
  return [el("h3", {}, video.name), scrolling(`Pictures of ${video.name}`,
    el("table", { class: "strip" }, el("thead", {}, head), el("tbody", {}, video.strips.map(row))))];
}

function list(title, items) {
  return items.length ? [el("h2", {}, title), el("ul", {}, items.map((item) => el("li", {}, item)))] : [];
}

function reasons() {
  const columns = new Map();
  for (const { column, reason } of PAGE.unavailable) columns.set(reason, [...(columns.get(reason) || []), column]);
  return [...columns].map(([reason, names]) => `${names.join(", ")}: ${reason}`);
}

document.getElementById("top").append(el("div", { class: "row title" }, el("h1", {}, TITLES[PAGE.table]),
  themeButton(() => {})));
document.getElementById("content").append(
  el("p", { class: "faint" }, `${counted(PAGE.truth.videos, "video")}, ${counted(PAGE.rows.length, "system")}`
    + (PAGE.landmarks ? `; landmarks of AKD, LMD and MSI: ${PAGE.landmarks}` : "")),
  figures(),
  ...list("Not computed", reasons()),
  ...list("Notes", PAGE.notes),
  ...(PAGE.videos.length ? [el("h2", {}, "Pictures"), ...PAGE.videos.flatMap(strips)] : []),
  ...(PAGE.tests.length ? [el("h2", {}, "Differences between systems"), tests()] : []),
  el("h2", {}, `As the paper prints it (${PAGE.origin})`),
  published(),
);
document.documentElement.dataset.ready = "";
