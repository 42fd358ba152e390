"use strict";

/** Labels by key of their sample: true for right, false for wrong. */
const labels = new Map();

const STORE = `gaia-labels ${PAGE.kind} ${PAGE.dataset} ${PAGE.identity}`;

function sampleKey(sample) { return [sample.criterion, sample.video_id, sample.start_s, sample.end_s].join(" "); }

function allSamples() { return PAGE.criteria.flatMap((criterion) => criterion.samples); }

function remember() {
  try { localStorage.setItem(STORE, JSON.stringify([...labels])); } catch { /* a browser may keep nothing for a file */ }
}

function recall() {
  try {
    const known = new Set(allSamples().map(sampleKey));
    for (const [key, right] of JSON.parse(localStorage.getItem(STORE) || "[]")) if (known.has(key)) labels.set(key, right === true);
  } catch { labels.clear(); }
}

function setLabel(sample, right) {
  if (right === null) labels.delete(sampleKey(sample));
  else labels.set(sampleKey(sample), right);
  remember();
  document.dispatchEvent(new CustomEvent("labelled"));
}

function labelsFile() {
  const criteria = {};
  for (const criterion of PAGE.criteria) criteria[criterion.key] = { limit: criterion.limit, strata: criterion.strata };
  const chosen = allSamples().filter((sample) => labels.has(sampleKey(sample)));
  return { format: "gaia-labels", version: 1, dataset: PAGE.dataset, identity: PAGE.identity, draw: PAGE.draw, criteria,
    labels: chosen.map((sample) => ({ criterion: sample.criterion, video_id: sample.video_id, start_s: sample.start_s,
      end_s: sample.end_s, value: sample.value, dropped: sample.dropped, stratum: sample.stratum,
      right: labels.get(sampleKey(sample)) })) };
}

function saveLabels() {
  saveJson(`${PAGE.dataset}-labels`, labelsFile());
  say(`${labels.size} labels saved`);
}

async function openLabels(file) {
  let given;
  try { given = JSON.parse(await file.text()); } catch { say("This file holds no labels."); return; }
  if (!given || given.format !== "gaia-labels" || !Array.isArray(given.labels)) { say("This file holds no labels."); return; }
  if (given.identity !== PAGE.identity) { say("These labels were made under other limits."); return; }
  const samples = new Map(allSamples().map((sample) => [sampleKey(sample), sample]));
  let taken = 0;
  for (const label of given.labels) {
    const sample = samples.get(sampleKey(label));
    if (sample) { labels.set(sampleKey(sample), label.right === true); taken += 1; }
  }
  remember();
  document.dispatchEvent(new CustomEvent("labelled"));
  say(`${taken} of ${given.labels.length} labels belong to samples of this page`);
}

function labelsBar() {
  const bar = document.getElementById("labels-bar");
  if (!allSamples().length) { bar.hidden = true; return; }
  const count = el("p", {});
  const save = el("button", { type: "button", id: "save-labels", on: { click: saveLabels } }, "Save labels");
  const picked = el("input", { type: "file", accept: ".json,application/json", class: "unseen", id: "open-labels",
    on: { change: () => picked.files.length && openLabels(picked.files[0]) } });
  const open = el("label", { for: "open-labels", class: "button" }, "Open labels");
  const clear = el("button", { type: "button", on: { click: () => {
    if (confirm(`Remove all ${labels.size} labels?`)) { labels.clear(); remember(); document.dispatchEvent(new CustomEvent("labelled")); }
  } } }, "Clear");
  const update = () => {
    const right = [...labels.values()].filter(Boolean).length;
    count.textContent = `${labels.size} of ${allSamples().length} samples labelled: ${right} right, ${labels.size - right} wrong`;
    save.disabled = clear.disabled = labels.size === 0;
  };
  document.addEventListener("labelled", update);
  update();
  bar.append(count, save, picked, open, clear,
    el("p", { class: "faint keys" }, el("kbd", {}, "r"), " right ", el("kbd", {}, "w"), " wrong ", el("kbd", {}, "u"), " undo ",
      el("kbd", {}, "j"), " next ", el("kbd", {}, "k"), " back ", el("kbd", {}, "p"), " play"));
}
