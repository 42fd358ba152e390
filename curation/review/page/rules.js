"use strict";

function distribution(criterion, state) {
  const { histogram } = criterion;
  const middle = histogram.edges.slice(1).map((edge, i) => (edge + histogram.edges[i]) / 2);
  const width = histogram.edges[1] - histogram.edges[0];
  const unit = plain(criterion.unit);
  const parts = [["kept", "kept", COLOURS.kept], ["dropped", `dropped by ${words(criterion.rule)}`, colourOf(criterion.rule)], ["other", "dropped by another rule", "#a9b2bc"]];
  const colours = el("ul", { class: "legend", "aria-label": "Colours" }, parts.map(([, name, color]) => el("li", {}, el("span", { style: `background:${color}`, "aria-hidden": "true" }), name)));
  return [colours, chart(`Distribution of ${criterion.words}, with the limit`, 230, () => ({
    traces: parts.map(([key, name, color]) => ({ type: "bar", name, x: middle, y: histogram[key].map((ticks) => ticks / 25), width, marker: { color },
      hovertemplate: `%{x:.4g} ${unit}: %{y:.1f} s<extra>${name}</extra>` })),
    layout: { barmode: "stack", bargap: 0, margin: { l: 8, r: 8, t: 22, b: 40 },
      xaxis: { title: { text: plain(`${criterion.words}${criterion.unit ? `, ${criterion.unit}` : ""}`) } },
      yaxis: { title: { text: state.log ? "seconds, logarithmic" : "seconds" }, type: state.log ? "log" : "linear" },
      shapes: criterion.limit === null ? [] : [{ type: "line", xref: "x", yref: "paper", x0: criterion.limit, x1: criterion.limit, y0: 0, y1: 1, line: { color: themeColour("--ink"), width: 2, dash: "dash" } }],
      annotations: criterion.limit === null ? [] : [{ x: criterion.limit, xref: "x", y: 1, yref: "paper", yanchor: "bottom", xanchor: "left", showarrow: false, text: `limit ${figure(criterion.limit)}` }] } }))];
}

function ruleCard(criterion, state) {
  const kept = criterion.at_most ? "at most" : "at least";
  const limit = criterion.limit === null ? "its limit is not on record" : `kept is ${kept} ${figure(criterion.limit)}${criterion.unit ? ` ${criterion.unit}` : ""}`;
  const card = el("div", { class: "card", id: `rule-${criterion.key}` }, el("h3", {}, `${words(criterion.rule)}, tier ${criterion.tier}`),
    el("p", {}, `${criterion.words}: ${limit}. `, criterion.setting ? el("span", { class: "faint" }, `Setting ${criterion.setting}.`) : el("span", { class: "faint" }, "A rule of the user's own.")));
  if (criterion.boundary) card.append(el("p", { class: "faint" }, "This rule drops nothing: a new clip begins at each value beyond the limit."));
  if (PAGE.kind === "report") {
    if (criterion.histogram) card.append(...distribution(criterion, state));
    else card.append(el("p", { class: "nothing" }, criterion.own ? "Its values are known only where it dropped something." : "Nothing was measured for this rule."));
  }
  if (state.samples) card.append(...sampleGroups(criterion));
  return card;
}

function calibrate() { return el("code", {}, "gaia-curate calibrate"); }

function rulesSection() {
  if (!PAGE.criteria.length) return;
  const report = PAGE.kind === "report";
  const host = section("rules", report ? "Rules: values, limits, borderline samples" : "Samples to label", report
    ? ["Every limit with the values that it divides. Mark a sample as right or wrong; saved labels go to ", calibrate(), "."]
    : ["Look at each stretch and say whether the rule decided rightly about it. Saved labels go to ", calibrate(), "."]);
  const state = { rule: report ? firstRule() : "", log: true, samples: true, left: false };
  const cards = el("div", {});
  const update = () => {
    forget(cards);
    for (const criterion of PAGE.criteria) {
      if (state.rule !== "" && criterion.rule !== state.rule) continue;
      if (!report && !criterion.samples.length) continue;
      cards.append(ruleCard(criterion, state));
    }
    hideLabelled();
  };
  const hideLabelled = () => {
    for (const card of cards.querySelectorAll(".sample")) card.hidden = state.left && labels.has(sampleKey(card.sample));
  };
  const names = PAGE.criteria.filter((criterion) => report || criterion.samples.length).map((criterion) => criterion.rule);
  const filters = el("div", { class: "filters" },
    choice("Rule", [["", "all rules"], ...[...new Set(names)].map((name) => [name, words(name)])], (value) => { state.rule = value; update(); }, state.rule),
    report ? check("Logarithmic scale", true, (on) => { state.log = on; update(); }) : null,
    report ? check("Samples", true, (on) => { state.samples = on; update(); }) : null,
    check("Only those without a label", false, (on) => { state.left = on; hideLabelled(); }));
  host.append(filters, cards);
  update();
}

/** The rule that dropped the most in the first tier. */
function firstRule() {
  const lost = {};
  for (const own of Object.values(PAGE.funnel[PAGE.tiers[0]] || {})) for (const [name, seconds] of Object.entries(own)) lost[name] = (lost[name] || 0) + seconds;
  const names = PAGE.criteria.map((criterion) => criterion.rule).filter((name) => lost[name]);
  return names.sort((one, other) => lost[other] - lost[one])[0] || "";
}

function check(text, checked, change) {
  const box = el("input", { type: "checkbox", checked, on: { change: () => change(box.checked) } });
  return el("label", { class: "check" }, box, text);
}
