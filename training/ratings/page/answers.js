const state = { rater: null, order: [], at: 0, row: 0, rating: false, unsaved: false };

/** Grades of an item, an object by criterion; with what was seen of it. */
const answers = new Map();

function answerOf(item) {
  if (!answers.has(item.id)) answers.set(item.id, { grades: {}, seen: false, leftOut: false });
  return answers.get(item.id);
}

function missing(answer) { return PAGE.criteria.filter((criterion) => !(criterion.key in answer.grades)).length; }

function finished(item) {
  const answer = answerOf(item);
  return answer.leftOut || (answer.seen && missing(answer) === 0);
}

function ratingsFile() {
  const done = state.order.map((item, position) => ({ item, position })).filter(({ item }) => finished(item));
  return { format: "gaia-ratings", version: 1, sheet: PAGE.sheet, rater: state.rater, seed: PAGE.seed, n_items: state.order.length,
    ratings: done.filter(({ item }) => !answerOf(item).leftOut).map(({ item, position }) => ({ item: item.id, position, grades: { ...answerOf(item).grades } })),
    left_out: done.filter(({ item }) => answerOf(item).leftOut).map(({ item }) => item.id) };
}

function storeName() { return `gaia-ratings ${PAGE.sheet} ${state.rater.toLowerCase()}`; }

function remember() {
  state.unsaved = true;
  try { localStorage.setItem(storeName(), JSON.stringify(ratingsFile())); } catch { /* a browser may keep nothing for a file */ }
}

function isGrade(value) { return Number.isInteger(value) && value >= 1 && value <= PAGE.grades.length; }

/** Take over what was answered before; what does not belong to the order is passed over. */
function takeOver(given) {
  const own = new Set(state.order.map((item) => item.id));
  for (const rating of Array.isArray(given.ratings) ? given.ratings : []) {
    const grades = rating && rating.grades;
    if (!own.has(rating && rating.item) || !grades || !PAGE.criteria.every(({ key }) => isGrade(grades[key]))) continue;
    answers.set(rating.item, { grades: Object.fromEntries(PAGE.criteria.map(({ key }) => [key, grades[key]])), seen: true, leftOut: false });
  }
  for (const id of Array.isArray(given.left_out) ? given.left_out : []) if (own.has(id)) answers.set(id, { grades: {}, seen: true, leftOut: true });
}

function recalled() {
  try { return JSON.parse(localStorage.getItem(storeName()) || "{}") || {}; } catch { return {}; }
}

function saveRatings() {
  saveJson(`ratings-${state.rater}-${PAGE.sheet.slice(0, 6)}`, ratingsFile());
  state.unsaved = false;
  say("Ratings saved as a file");
}

/** Return the name that a text gives, or null: what the table of ratings takes. */
function raterName(text) {
  const name = String(text).normalize("NFC").trim().replace(/\s+/g, " ");
  return /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]{1,100}$/u.test(name) ? name : null;
}

function begin(rater, given) {
  state.rater = rater;
  state.order = orderFor(rater);
  answers.clear();
  takeOver(given || recalled());
  const first = state.order.findIndex((item) => !finished(item));
  if (first < 0) showEnd(); else showItem(first);
}

async function openRatings(file) {
  let given;
  try { given = JSON.parse(await file.text()); } catch { given = null; }
  if (!given || given.format !== "gaia-ratings" || typeof given.rater !== "string") return "This file holds no ratings.";
  if (given.sheet !== PAGE.sheet) return "These ratings are of another sheet.";
  const rater = raterName(given.rater);
  if (rater === null) return "This file holds no ratings.";
  begin(rater, given);
  remember();
  state.unsaved = false;
  return null;
}
