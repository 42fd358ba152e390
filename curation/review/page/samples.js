"use strict";

function criterionOf(sample) { return PAGE.criteria.find((criterion) => criterion.key === sample.criterion); }

function valueText(sample) {
  const { words: what, unit, at_most: atMost } = criterionOf(sample);
  const suffix = unit ? ` ${unit}` : "";
  if (sample.value === null) return `${what}: not measured`;
  return `${what}: ${figure(sample.value)}${suffix}; kept is ${atMost ? "at most" : "at least"} ${figure(sample.limit)}${suffix}`;
}

function sampleCard(sample) {
  const criterion = criterionOf(sample);
  const decision = sample.dropped ? "Dropped" : "Kept";
  const seconds = Math.max(0.04, sample.end_s - sample.start_s);
  const name = `${decision} by ${words(criterion.rule)}, tier ${criterion.tier}: ${sample.name}, ${clock(sample.start_s)} to ${clock(sample.end_s)}`;
  const card = el("article", { class: `sample ${sample.dropped ? "dropped" : "kept"}`, tabindex: "0", "aria-label": name });
  card.append(el("div", { class: "row" }, el("span", { class: "verdict" }, decision),
    el("span", { class: "faint" }, `${sample.name}, ${clock(sample.start_s)} to ${clock(sample.end_s)} (${seconds.toFixed(1)} s)`)));
  card.append(el("div", {}, valueText(sample)));
  if (sample.coarse) card.append(el("div", { class: "faint" }, "Looked at on a part of the ticks: the borders are known to 0.2 s."));
  if (sample.media) card.append(el("video", { controls: true, preload: "none", poster: sample.pictures.length ? sample.pictures[0].image : null, src: sample.media, "aria-label": `Video of ${sample.name}` }));
  if (sample.pictures.length) {
    card.append(el("div", { class: "pictures", tabindex: "0", role: "group", "aria-label": "Pictures" }, sample.pictures.map((picture) =>
      el("figure", {}, el("img", { src: picture.image, loading: "lazy", alt: `${sample.name} at ${clock(picture.time_s)}` }), el("figcaption", {}, clock(picture.time_s))))));
  } else card.append(el("p", { class: "nothing" }, `No picture: ${sample.missing}.`));
  const answer = (right, text) => el("button", { type: "button", "aria-pressed": "false", on: { click: () => {
    setLabel(sample, labels.get(sampleKey(sample)) === right ? null : right);
  } } }, text);
  const right = answer(true, sample.dropped ? "Right to drop" : "Right to keep");
  const wrong = answer(false, sample.dropped ? "Wrong, keep it" : "Wrong, drop it");
  card.append(el("div", { class: "answers" }, right, wrong));
  const update = () => {
    const given = labels.get(sampleKey(sample));
    right.setAttribute("aria-pressed", String(given === true));
    wrong.setAttribute("aria-pressed", String(given === false));
  };
  card.addEventListener("labels", update);
  card.sample = sample;
  update();
  return card;
}

document.addEventListener("labelled", () => {
  for (const card of document.querySelectorAll(".sample")) card.dispatchEvent(new Event("labels"));
});

function step(forward) {
  const cards = [...document.querySelectorAll(".sample")].filter((card) => card.offsetParent !== null);
  if (!cards.length) return;
  const at = cards.indexOf(document.activeElement.closest(".sample"));
  const next = cards[at < 0 ? 0 : Math.max(0, Math.min(cards.length - 1, at + (forward ? 1 : -1)))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  const card = document.activeElement.closest(".sample");
  if (event.key === "j" || event.key === "k") { step(event.key === "j"); event.preventDefault(); return; }
  if (!card) return;
  const given = { r: true, w: false, u: null };
  if (event.key in given) {
    setLabel(card.sample, given[event.key]);
    say(given[event.key] === null ? "label removed" : given[event.key] ? "right" : "wrong");
    if (given[event.key] !== null) step(true);
    event.preventDefault();
  }
  if (event.key === "p") {
    const video = card.querySelector("video");
    if (video) { if (video.paused) video.play(); else video.pause(); event.preventDefault(); }
  }
});

/** Samples of a criterion: those it dropped, then those it kept. */
function sampleGroups(criterion) {
  const groups = [];
  const nearest = PAGE.draw === "nearest";
  for (const dropped of [true, false]) {
    const own = criterion.samples.filter((sample) => sample.dropped === dropped);
    const title = `${dropped ? "Dropped" : "Kept"}${nearest ? ", nearest to the limit" : ""}`;
    if (own.length) groups.push(el("h4", {}, `${title} (${own.length})`), el("div", { class: "samples" }, own.map(sampleCard)));
    else if (!criterion.boundary && nearest) groups.push(el("h4", {}, title), el("p", { class: "nothing" }, dropped ? "This rule dropped nothing here." : "Nothing is kept here of which a value is known."));
  }
  return groups;
}
