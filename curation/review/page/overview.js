"use strict";

function pageHeader() {
  const top = document.getElementById("top");
  const title = PAGE.kind === "report" ? `Dataset ${PAGE.dataset}` : `Samples of ${PAGE.dataset}`;
  top.append(el("div", { class: "row title" }, el("h1", {}, title), themeButton(redrawAll)), el("p", { class: "faint" }, `Made by ${PAGE.made_by}.`),
    el("dl", { class: "facts" }, Object.entries(PAGE.facts).map(([name, text]) => el("div", {}, el("dt", {}, name), el("dd", {}, text)))));
  if (PAGE.notes.length) top.append(el("ul", { class: "notes", "aria-label": "Notes" }, PAGE.notes.map((note) => el("li", {}, note))));
}

function funnelRows(tier, source) {
  const bySource = Object.entries(PAGE.funnel[tier] || {}).filter(([name]) => source === "" || name === source);
  const outcomes = PAGE.outcomes.filter((name) => name !== "kept" && name !== "not_asked" && sum(bySource.map(([, own]) => own[name] || 0)) > 0);
  return { bySource, outcomes };
}

function funnelSection() {
  if (!Object.values(PAGE.funnel).some((bySource) => Object.keys(bySource).length)) return;
  const host = section("funnel", "What is left, and what dropped the rest",
    "From all that came in to what is kept. Each step takes away the seconds that a rule dropped; a second counts for the first rule that it fails.");
  const sources = distinct(Object.values(PAGE.funnel).flatMap(Object.keys));
  const state = { tier: PAGE.tiers[0], source: "" };
  const figures = el("div", {});
  const make = () => {
    const { bySource, outcomes } = funnelRows(state.tier, state.source);
    const unit = timeUnit(sum(bySource.map(([, own]) => sum(Object.values(own)))));
    const steps = ["raw", ...outcomes.map((name) => `after ${words(name)}`)];
    const traces = bySource.map(([name, own]) => {
      let left = sum(Object.values(own));
      const values = [left, ...outcomes.map((outcome) => (left -= own[outcome] || 0))];
      return { type: "funnel", name: plain(name), y: steps, x: values.map((value) => value / unit.seconds),
        texttemplate: bySource.length === 1 ? "%{value:.1f}" : "", hovertemplate: `%{y}: %{x:.1f} ${unit.name}<extra>${plain(name)}</extra>`,
        marker: bySource.length === 1 ? { color: steps.map((_, i) => (i === 0 ? "#6b7785" : i === steps.length - 1 ? COLOURS.kept : colourOf(outcomes[i - 1]))) } : {},
        connector: { fillcolor: "rgba(128,128,128,.15)" } };
    });
    return { traces, layout: { showlegend: bySource.length > 1, legend: { orientation: "h", y: -0.1 }, yaxis: { automargin: true }, xaxis: { visible: false }, funnelmode: "stack" } };
  };
  const drawing = chart("Time left after each rule; the table below has the figures", 420, make);
  const update = () => {
    redraw(drawing);
    const { bySource, outcomes } = funnelRows(state.tier, state.source);
    const total = sum(bySource.map(([, own]) => sum(Object.values(own))));
    const unit = timeUnit(total);
    const row = (name, key) => [name, ...bySource.map(([, own]) => inUnit(own[key] || 0, unit)), inUnit(sum(bySource.map(([, own]) => own[key] || 0)), unit),
      total ? `${(100 * sum(bySource.map(([, own]) => own[key] || 0)) / total).toFixed(1)} %` : "-"];
    const rows = [...outcomes.map((name) => row(`dropped: ${words(name)}`, name)), row("kept", "kept")];
    if (sum(bySource.map(([, own]) => own.not_asked || 0)) > 0) rows.push(row("not asked for", "not_asked"));
    figures.replaceChildren(table(`Time in tier ${state.tier}, ${unit.name}`, ["outcome", ...bySource.map(([name]) => `${name}, ${unit.name}`), `all, ${unit.name}`, "share"], rows, [false, ...bySource.map(() => true), true, true]));
  };
  host.append(el("div", { class: "filters" },
    choice("Tier", PAGE.tiers.map((tier) => [tier, tier]), (value) => { state.tier = value; update(); }, state.tier),
    choice("Source", [["", "all sources"], ...sources.map((name) => [name, name])], (value) => { state.source = value; update(); }, "")),
  drawing, el("details", { open: true }, el("summary", {}, "Figures"), figures));
  update();
}

function highest(measure) { return Math.max(...measure.edges.slice(1).map((_, i) => sum(PAGE.tiers.map((tier) => measure.counts[tier][i])))); }

function measuresSection() {
  if (!PAGE.measures.length) return;
  const host = section("measures", "Clips in figures", "Over all clips; the pose of the head over the frames of some of them.");
  host.append(legendOfTiers(), el("div", { class: "grid" }, PAGE.measures.map((measure) => {
    const middle = measure.edges.slice(1).map((edge, i) => (edge + measure.edges[i]) / 2);
    const make = () => ({ traces: PAGE.tiers.map((tier) => ({ type: "bar", name: tier, x: middle, y: measure.counts[tier], width: measure.edges[1] - measure.edges[0],
      marker: { color: TIER_COLOURS[tier] }, hovertemplate: `%{x:.3g} ${plain(measure.unit)}: %{y}<extra>${tier}</extra>` })),
    layout: { barmode: "stack", bargap: 0, xaxis: { title: { text: plain(measure.unit) } },
      yaxis: { nticks: 4, tickformat: ",d", dtick: highest(measure) < 4 ? 1 : null } } });
    return el("div", { class: "card" }, el("h3", {}, measure.title), chart(`Distribution: ${measure.title}`, 200, make),
      measure.missing ? el("p", { class: "faint" }, `Not measured in ${measure.missing} ${measure.missing === 1 ? "clip" : "clips"}.`) : null);
  })));
}

const TIER_COLOURS = { diffusion: "#2e9e63", vae: "#7fb3d9" };

function legendOfTiers() {
  return el("ul", { class: "legend", "aria-label": "Colours of tiers" }, PAGE.tiers.map((tier) =>
    el("li", {}, el("span", { style: `background:${TIER_COLOURS[tier]}`, "aria-hidden": "true" }), `tier ${tier}`)));
}

function speakersSection() {
  if (!PAGE.n_clips) return;
  const host = section("speakers", "Speakers");
  if (!PAGE.n_speakers) { host.append(el("p", { class: "nothing" }, "Nothing tells who speaks in these clips: neither the layout of the sources, nor gaia-curate identities.")); return; }
  const unit = timeUnit(Math.max(...PAGE.speakers.map((row) => row.kept_s)));
  const first = PAGE.speakers.slice(0, 30);
  host.append(el("p", {}, `${PAGE.n_speakers} speakers have clips${PAGE.n_speakers > PAGE.speakers.length ? `; the ${PAGE.speakers.length} with the most are listed` : ""}.`),
    chart("Time kept of the speakers with the most", Math.max(200, 40 + 20 * first.length), () => ({
      traces: [{ type: "bar", orientation: "h", y: first.map((row) => plain(`${row.name} (${row.source})`)), x: first.map((row) => row.kept_s / unit.seconds), marker: { color: COLOURS.kept },
        hovertemplate: `%{y}: %{x:.1f} ${unit.name}<extra></extra>` }],
      layout: { yaxis: { autorange: "reversed", type: "category" }, xaxis: { title: { text: `${unit.name} in clips` } } } })),
    el("details", {}, el("summary", {}, "All listed speakers"), table("Speakers", ["speaker", "source", "clips", unit.name],
      PAGE.speakers.map((row) => [row.name, row.source, String(row.clips), inUnit(row.kept_s, unit)]), [false, false, true, true])));
}

function failuresSection() {
  if (PAGE.kind !== "report") return;
  const host = section("failures", "Videos that were not curated");
  if (!PAGE.n_failures) { host.append(el("p", { class: "nothing" }, "None: every video was read to its end.")); return; }
  const codes = distinct(PAGE.failures.map((row) => row.code));
  const rows = el("div", {});
  const update = (code) => {
    const own = PAGE.failures.filter((row) => code === "" || row.code === code);
    rows.replaceChildren(table("Videos that were not curated", ["video", "source", "status", "code", "why"], own.map((row) => [row.name, row.source, row.status, row.code, row.detail]), [false, false, false, false, false]));
  };
  host.append(el("p", {}, `${PAGE.n_failures} videos${PAGE.n_failures > PAGE.failures.length ? `; the first ${PAGE.failures.length} are listed` : ""}. The command gaia-curate retry tries them again.`),
    el("div", { class: "filters" }, choice("Code", [["", "all codes"], ...codes.map((code) => [code, code])], update, "")), rows);
  update("");
}
