"use strict";

recall();
pageHeader();
funnelSection();
rulesSection();
videosSection();
clipsSection();
measuresSection();
speakersSection();
failuresSection();
labelsBar();
document.getElementById("sections").append(el("ul", {}, [...document.querySelectorAll("main > section")].map((one) =>
  el("li", {}, el("a", { href: `#${one.id}` }, { funnel: "Funnel", rules: "Rules", videos: "Videos", clips: "Clips", measures: "Figures", speakers: "Speakers", failures: "Failures" }[one.id])))));
document.documentElement.dataset.ready = "yes";
