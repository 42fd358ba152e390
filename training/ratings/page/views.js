const content = document.getElementById("content");

let playing = null;

function fresh(...parts) {
  if (playing) { playing.pause(); playing.removeAttribute("src"); }
  if (playing && playing.dataset.made) URL.revokeObjectURL(playing.dataset.made);
  playing = null;
  content.replaceChildren(...parts);
  scrollTo(0, 0);
}

function countOf(number, noun) { return `${number} ${noun}${number === 1 ? "" : "s"}`; }

function keysText() {
  const key = (name, does) => [el("kbd", {}, name), ` ${does} `];
  return el("p", { class: "faint keys" }, "Keys: ", key("1", "to"), key("5", "grade the marked criterion,"), key("p", "play,"), key("n", "or"), key("Enter", "next,"), key("b", "back"));
}

function showIntroduction() {
  const n = orderFor("").length;
  const name = el("input", { type: "text", id: "rater", maxlength: "100", autocomplete: "off", spellcheck: "false", "aria-describedby": "start-fault" });
  const fault = el("p", { id: "start-fault", role: "alert" });
  const form = el("form", { class: "start", on: { submit: (event) => {
    event.preventDefault();
    const rater = raterName(name.value);
    if (rater === null) { fault.textContent = "Give a name of 1 to 100 letters, digits or signs."; name.focus(); return; }
    begin(rater, null);
  } } }, el("div", { class: "field" }, el("label", { for: "rater" }, "Your name or code"), name),
    el("button", { type: "submit", class: "primary" }, "Start"));
  const picked = el("input", { type: "file", accept: ".json,application/json", class: "unseen", id: "open-ratings", on: { change: async () => {
    if (picked.files.length) fault.textContent = (await openRatings(picked.files[0])) || "";
    picked.value = "";
  } } });
  fresh(el("h2", { id: "intro-title" }, `${countOf(n, "video")} to rate`),
    el("p", {}, `You see one video at a time. Watch it to its end, with sound, then give a grade from 1 (${PAGE.grades[0]}) to 5 (${PAGE.grades[4]}) for each of ${PAGE.criteria.length} criteria. You may watch it again, and go back.`),
    el("p", {}, "Judge each video by itself. 5 is always the best grade."),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Criteria" }, el("table", {},
      el("thead", {}, el("tr", {}, ["criterion", "question", "1", "5"].map((text) => el("th", { scope: "col", class: text === "question" ? text : null }, text)))),
      el("tbody", {}, PAGE.criteria.map((one) => el("tr", {}, el("th", { scope: "row" }, one.name), el("td", { class: "question" }, one.question), el("td", {}, one.worst), el("td", {}, one.best)))))),
    keysText(), form, fault,
    el("p", { class: "faint" }, "Your grades stay on this device until you save them as a file. Nothing is sent. ", picked, el("label", { for: "open-ratings", class: "button" }, "Go on with a saved file")));
}

function setVideo(video, item) {
  if (item.address) { video.src = item.address; return; }
  const held = document.getElementById(`video-${item.id}`);
  const bytes = Uint8Array.from(atob(held.textContent), (character) => character.charCodeAt(0));
  video.dataset.made = URL.createObjectURL(new Blob([bytes], { type: held.dataset.kind }));
  video.src = video.dataset.made;
}

function togglePlay() {
  if (!playing) return;
  if (playing.paused) playing.play().catch(() => { /* the browser wants a click on the video first */ });
  else playing.pause();
}

function markRow(row) {
  state.row = row;
  for (const one of content.querySelectorAll(".criterion")) one.classList.toggle("current", Number(one.dataset.row) === row);
}

function setGrade(row, grade) {
  const answer = answerOf(state.order[state.at]), { key, name } = PAGE.criteria[row];
  answer.grades[key] = grade;
  answer.leftOut = false;
  content.querySelector(`input[name="grade-${key}"][value="${grade}"]`).checked = true;
  say(`${name}: ${grade}`);
  remember();
  update();
}

function criterionRow(criterion, row, answer) {
  return el("fieldset", { class: "criterion", "data-row": row, on: { focusin: () => markRow(row) } }, el("legend", {}, criterion.name),
    el("p", { class: "faint" }, criterion.question),
    el("div", { class: "grades" }, PAGE.grades.map((word, i) => el("label", { class: "grade" },
      el("input", { type: "radio", class: "unseen", name: `grade-${criterion.key}`, value: i + 1, checked: answer.grades[criterion.key] === i + 1, on: { change: () => setGrade(row, i + 1) } }),
      el("span", { class: "figure" }, String(i + 1)), el("span", { class: "word" }, word)))),
    el("p", { class: "ends faint" }, el("span", {}, criterion.worst), el("span", {}, criterion.best)));
}

function showItem(at) {
  state.at = at;
  state.rating = true;
  const item = state.order[at], answer = answerOf(item);
  const heading = el("h2", { tabindex: "-1" }, `Video ${at + 1} of ${state.order.length}`);
  const video = el("video", { controls: true, playsinline: true, preload: "auto", "aria-label": "Video to rate", on: {
    ended: () => { answer.seen = true; remember(); update(); },
    error: () => { if (video.getAttribute("src")) showFault(answer); },
  } });
  const alert = el("div", { class: "alert", role: "alert" });
  fresh(el("div", { class: "item" }, heading, alert, el("div", { class: "stage" }, video, keysText()),
    el("div", {}, PAGE.criteria.map((criterion, row) => criterionRow(criterion, row, answer)),
      el("div", { class: "buttons" }, el("button", { type: "button", id: "back", disabled: at === 0, on: { click: () => showItem(at - 1) } }, "Back"),
        el("button", { type: "button", id: "next", class: "primary", on: { click: goOn } }, at + 1 === state.order.length ? "Finish" : "Next"), el("p", { id: "left", class: "faint" })))));
  playing = video;
  setVideo(video, item);
  markRow(0);
  update();
  heading.focus({ preventScroll: true });
  video.play().catch(() => { /* the browser wants a click on the video first */ });
}

function showFault(answer) {
  const leave = el("button", { type: "button", on: { click: () => { answer.leftOut = true; remember(); goOn(); } } }, "Leave it out");
  content.querySelector(".alert").replaceChildren(el("p", { class: "notice" }, "This video does not play in your browser. ", leave));
}

function update() {
  const item = state.order[state.at], answer = answerOf(item), open = missing(answer);
  const left = [answer.seen ? null : "watch the video to its end", open ? `grade ${open === 1 ? "1 more criterion" : `${open} more criteria`}` : null].filter(Boolean);
  document.getElementById("left").textContent = finished(item) ? "" : `To go on: ${left.join(", ")}`;
  document.getElementById("next").disabled = !finished(item);
  updateBar();
}

function updateBar() {
  const done = state.order.filter(finished).length;
  const bar = document.getElementById("bar");
  bar.hidden = false;
  bar.replaceChildren(el("span", {}, `${done} of ${state.order.length} rated`),
    el("progress", { max: state.order.length, value: done, "aria-label": "Rated videos" }),
    el("button", { type: "button", id: "save", disabled: done === 0, on: { click: saveRatings } }, "Save ratings"));
}

function goOn() {
  if (!finished(state.order[state.at])) return;
  if (state.at + 1 < state.order.length) showItem(state.at + 1);
  else showEnd();
}

function showEnd() {
  state.rating = false;
  const first = state.order.findIndex((item) => !finished(item));
  const open = state.order.filter((item) => !finished(item)).length;
  const heading = el("h2", { tabindex: "-1" }, open ? `${countOf(open, "video")} left` : "All videos are rated");
  const save = el("button", { type: "button", class: "primary", on: { click: saveRatings } }, "Save ratings as a file");
  const on = open ? el("button", { type: "button", on: { click: () => showItem(first) } }, "Go on") : null;
  fresh(heading, el("p", {}, "Thank you. Save your ratings, and send the file to the person who gave you this page."), el("div", { class: "buttons" }, save, on,
    el("button", { type: "button", on: { click: () => showItem(state.order.length - 1) } }, "Back to the videos")));
  updateBar();
  heading.focus({ preventScroll: true });
}

function onKey(event) {
  if (!state.rating || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Enter" && event.target.matches("button, a, label")) return;
  if (/^[1-9]$/.test(event.key) && Number(event.key) <= PAGE.grades.length) {
    setGrade(state.row, Number(event.key));
    markRow(Math.min(state.row + 1, PAGE.criteria.length - 1));
  } else if (event.key === "p") togglePlay();
  else if (event.key === "n" || event.key === "Enter") goOn();
  else if (event.key === "b" && state.at > 0) showItem(state.at - 1);
  else return;
  event.preventDefault();
}

document.getElementById("top").append(el("div", { class: "row title" }, el("h1", {}, "Rate talking videos"), themeButton(() => {})));
document.addEventListener("keydown", onKey);
addEventListener("beforeunload", (event) => { if (state.unsaved) event.preventDefault(); });
showIntroduction();
document.documentElement.dataset.ready = "yes";
