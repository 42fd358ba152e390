"use strict";

function spanText(span) {
  if (span.outcome === "kept") return "kept";
  const criterion = PAGE.criteria.find((one) => one.rule === span.outcome);
  const unit = criterion && criterion.unit ? ` ${criterion.unit}` : "";
  let text = `dropped: ${words(span.outcome)}`;
  if (span.outcome === "trimmed" || span.outcome === "undecodable" || span.outcome === "not_asked") text = words(span.outcome);
  else if (span.value !== null) text += `, ${figure(span.value)}${unit}`;
  else if (criterion) text += ", not measured";
  if (span.limit !== null && criterion) text += ` (kept is ${criterion.at_most ? "at most" : "at least"} ${figure(span.limit)}${unit})`;
  if (span.failed.length > 1) text += `; all rules failed: ${span.failed.map(words).join(", ")}`;
  if (span.coarse) text += "; borders known to 0.2 s";
  return text;
}

function timeline(video, state) {
  const tiers = PAGE.tiers.filter((tier) => video.spans[tier] && video.spans[tier].length);
  const series = state.value !== "" ? video.values[state.value] : undefined;
  const criterion = PAGE.criteria.filter((one) => one.rule === state.value);
  const summary = tiers.map((tier) => `${tier}: ${video.kept_s[tier].toFixed(1)} s kept`).join("; ");
  return chart(`Timeline of ${video.name}; ${summary}`, series ? 230 : 120, () => {
    const traces = tiers.flatMap((tier) => {
      const spans = video.spans[tier];
      return { type: "bar", orientation: "h", y: spans.map(() => tier), base: spans.map((span) => span.start_s), x: spans.map((span) => span.end_s - span.start_s),
        marker: { color: spans.map((span) => colourOf(span.outcome)), pattern: { shape: spans.map((span) => (span.coarse ? "/" : "")), size: 6, solidity: 0.25 }, line: { width: 0.5, color: themeColour("--paper") } },
        customdata: spans.map((span) => plain(`${clock(span.start_s)} to ${clock(span.end_s)}: ${spanText(span)}`).replaceAll("; ", "<br>").replaceAll(" (kept", "<br>(kept")),
        hovertemplate: "%{customdata}<extra></extra>", yaxis: "y" };
    });
    const layout = { barmode: "overlay", bargap: 0.25, margin: { l: 8, r: 8, t: 4, b: 30 }, xaxis: { range: [0, video.duration_s], ticksuffix: " s" },
      yaxis: { type: "category", autorange: "reversed", domain: series ? [0.6, 1] : [0, 1] } };
    if (series) {
      const part = video.duration_s / series.length;
      traces.push({ type: "scatter", mode: "lines", x: series.map((_, i) => (i + 0.5) * part), y: series, yaxis: "y2", line: { color: colourOf(state.value), width: 1.5 },
        hovertemplate: `%{x:.1f} s: ${plain(words(state.value))} %{y:.4g}<extra></extra>`, connectgaps: false });
      layout.xaxis.anchor = "y2";
      layout.yaxis2 = { domain: [0, 0.5], anchor: "x", nticks: 4 };
      layout.shapes = criterion.filter((one) => one.limit !== null).map((one) => ({ type: "line", xref: "paper", x0: 0, x1: 1, yref: "y2", y0: one.limit, y1: one.limit, line: { color: themeColour("--ink"), width: 1, dash: "dash" } }));
    }
    return { traces, layout };
  });
}

function videoCard(video, state) {
  const facts = [video.source, video.speaker, `${video.duration_s.toFixed(1)} s`, `${video.n_clips} ${video.n_clips === 1 ? "clip" : "clips"}`, ...PAGE.tiers.map((tier) => `${tier} ${video.kept_s[tier].toFixed(1)} s kept`)];
  const card = el("article", { class: "card video", "aria-label": video.name }, el("h3", { title: video.path }, video.name),
    el("div", { class: "faint" }, facts.filter(Boolean).join(" · ")), timeline(video, state));
  if (video.unmeasured_s) card.append(el("div", { class: "faint" }, `In ${video.unmeasured_s.toFixed(1)} s, hatched, faces were looked for on one tick of five only: no clip could lie there, and the borders are known to 0.2 s.`));
  if (video.thumbnails.length) {
    card.append(el("div", { class: "strip", tabindex: "0", role: "group", "aria-label": `Pictures of ${video.name}` }, video.thumbnails.map((picture) =>
      el("figure", {}, el("img", { src: picture.image, loading: "lazy", alt: `at ${clock(picture.time_s)}` }), el("figcaption", {}, clock(picture.time_s))))));
  }
  if (video.missing) card.append(el("div", { class: "nothing" }, `No pictures of dropped stretches: ${video.missing}.`));
  const rows = PAGE.tiers.flatMap((tier) => video.spans[tier].map((span) => [tier, clock(span.start_s), clock(span.end_s), spanText(span)]));
  const details = el("details", {}, el("summary", {}, "Spans as a table"));
  details.addEventListener("toggle", () => { if (details.open && details.children.length === 1) details.append(table(`Spans of ${video.name}`, ["tier", "from", "to", "what became of it"], rows, [false, true, true, false])); });
  card.append(details);
  return card;
}

function videosSection() {
  if (PAGE.kind !== "report") return;
  const sampled = PAGE.videos.length < PAGE.n_videos ? ` ${PAGE.videos.length} of ${PAGE.n_videos} videos, chosen at random.` : "";
  const host = section("videos", "Videos and their timelines", `What became of every second, in both tiers; point at a piece for its value.${sampled}`);
  if (!PAGE.videos.length) { host.append(el("p", { class: "nothing" }, "No video was decided.")); return; }
  const outcomes = PAGE.outcomes.filter((name) => PAGE.videos.some((video) => PAGE.tiers.some((tier) => video.spans[tier].some((span) => span.outcome === name))));
  const state = { source: "", outcome: "", text: "", sort: "name", value: "" };
  const list = el("div", {});
  let found = [];
  const pages = pager(host, 10, (first, end) => { forget(list); list.append(...found.slice(first, end).map((video) => videoCard(video, state))); });
  const lost = (video) => video.duration_s - video.kept_s[PAGE.tiers[0]];
  const orders = { name: (a, b) => (a.name < b.name ? -1 : 1), lost: (a, b) => lost(b) - lost(a), long: (a, b) => b.duration_s - a.duration_s };
  const update = () => {
    const text = state.text.toLowerCase();
    found = PAGE.videos.filter((video) => (state.source === "" || video.source === state.source)
      && (text === "" || video.path.toLowerCase().includes(text) || video.video_id.includes(text) || (video.speaker || "").toLowerCase().includes(text))
      && (state.outcome === "" || PAGE.tiers.some((tier) => video.spans[tier].some((span) => span.outcome === state.outcome))));
    found.sort(orders[state.sort]);
    pages.reset(found.length);
  };
  const set = (name) => (value) => { state[name] = value; update(); };
  const search = el("input", { type: "search", on: { input: () => set("text")(search.value) } });
  const rules = [...new Set(PAGE.videos.flatMap((video) => Object.keys(video.values)))];
  host.append(el("div", { class: "filters" }, field("Name, path or speaker", search),
    choice("Source", [["", "all sources"], ...distinct(PAGE.videos.map((video) => video.source)).map((name) => [name, name])], set("source"), ""),
    choice("Outcome", [["", "any outcome"], ...outcomes.map((name) => [name, words(name)])], set("outcome"), ""),
    choice("Order", [["name", "by name"], ["lost", "most lost first"], ["long", "longest first"]], set("sort"), "name"),
    choice("Curve", [["", "none"], ...PAGE.outcomes.filter((name) => rules.includes(name)).map((name) => [name, words(name)])], set("value"), "")),
  legend(outcomes), pages.bar, list);
  update();
}
