/** 32 bits that depend on every character (FNV-1a). */
function hashOf(text) {
  let hash = 2166136261;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 16777619);
  return hash >>> 0;
}

/** Numbers from 0 up to 1 that a seed fixes (mulberry32). */
function randomOf(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function shuffled(list, random) {
  const order = [...list];
  for (let last = order.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}

/** Items in random order in which no two results for one video are neighbours, if that is possible at all. */
function spaced(items, random) {
  const left = [...items], order = [];
  while (left.length) {
    const counts = new Map(), before = order.length ? order[order.length - 1].group : null;
    for (const item of left) counts.set(item.group, (counts.get(item.group) || 0) + 1);
    // a video with more than half of what is left has to come now, or its results will meet at the end
    const urgent = [...counts.keys()].find((group) => group !== before && 2 * counts.get(group) > left.length);
    const fit = left.filter((item) => item.group !== before && (urgent === undefined || item.group === urgent));
    const open = fit.length ? fit : left;
    const chosen = open[Math.floor(random() * open.length)];
    order.push(chosen);
    left.splice(left.indexOf(chosen), 1);
  }
  return order;
}

/** The items of a rater, in an order that name and seed fix. */
function orderFor(rater) {
  const random = randomOf(hashOf(`${PAGE.sheet} ${PAGE.seed} ${rater.toLowerCase()}`));
  const groups = [...new Set(PAGE.items.map((item) => item.group))].sort((a, b) => a - b);
  const own = new Set(shuffled(groups, random).slice(0, PAGE.per_rater === null ? groups.length : PAGE.per_rater));
  return spaced(PAGE.items.filter((item) => own.has(item.group)), random);
}
