"use strict";

function clipCard(clip) {
  const where = `${clip.name}, from ${clock(clip.start_s)}`;
  const card = el("article", { class: "clip", "aria-label": `Clip of ${where}` });
  if (clip.media) card.append(el("video", { controls: true, preload: "none", poster: clip.sheet, src: clip.media, "aria-label": `Clip of ${where}` }));
  if (clip.sheet) card.append(el("img", { src: clip.sheet, loading: "lazy", alt: `Frames of the clip with landmarks: ${where}` }));
  else card.append(el("p", { class: "nothing" }, "No picture: its media are missing or damaged."));
  const facts = [`${clip.duration_s.toFixed(1)} s`, `tier ${clip.tier}`, clip.split, clip.speaker, clip.snr_db === null ? null : `SNR ${figure(clip.snr_db)} dB`,
    clip.loudness_lufs === null ? null : `${figure(clip.loudness_lufs)} LUFS`, clip.sync === null ? null : `lips and sound: ${words(clip.sync)}`];
  card.append(el("div", {}, where), el("div", { class: "faint" }, facts.filter(Boolean).join(" · ")));
  return card;
}

function clipsSection() {
  if (PAGE.kind !== "report") return;
  const sampled = PAGE.clips.length < PAGE.n_clips ? ` ${PAGE.clips.length} of ${PAGE.n_clips} clips, chosen at random.` : "";
  const host = section("clips", "Clips", `Frames of each clip with its landmarks, evenly spaced.${sampled}`);
  if (!PAGE.clips.length) { host.append(el("p", { class: "nothing" }, "The dataset has no clips.")); return; }
  const state = { source: "", tier: "", split: "", text: "", sort: "name" };
  const list = el("div", { class: "clips" });
  let found = [];
  const pages = pager(host, 12, (first, end) => list.replaceChildren(...found.slice(first, end).map(clipCard)));
  const known = (value) => (value === null ? Infinity : value);
  const orders = { name: (a, b) => (a.name === b.name ? a.start_s - b.start_s : a.name < b.name ? -1 : 1), snr: (a, b) => known(a.snr_db) - known(b.snr_db),
    quiet: (a, b) => known(a.loudness_lufs) - known(b.loudness_lufs), long: (a, b) => b.duration_s - a.duration_s };
  const update = () => {
    const text = state.text.toLowerCase();
    found = PAGE.clips.filter((clip) => ["source", "tier", "split"].every((name) => state[name] === "" || clip[name] === state[name])
      && (text === "" || clip.name.toLowerCase().includes(text) || (clip.speaker || "").toLowerCase().includes(text)));
    found.sort(orders[state.sort]);
    pages.reset(found.length);
  };
  const set = (name) => (value) => { state[name] = value; update(); };
  const search = el("input", { type: "search", on: { input: () => set("text")(search.value) } });
  const options = (name, all) => [["", all], ...distinct(PAGE.clips.map((clip) => clip[name])).map((value) => [value, value])];
  host.append(el("div", { class: "filters" }, field("Name or speaker", search),
    choice("Source", options("source", "all sources"), set("source"), ""), choice("Tier", options("tier", "both tiers"), set("tier"), ""),
    choice("Split", options("split", "all splits"), set("split"), ""),
    choice("Order", [["name", "by name"], ["snr", "noisiest first"], ["quiet", "quietest first"], ["long", "longest first"]], set("sort"), "name")),
  pages.bar, list);
  update();
}
