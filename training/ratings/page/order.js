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

/** The items of a rater in an order that name and seed fix; two results for one video do not follow each other where that can be. */
function orderFor(rater) {
  const random = randomOf(hashOf(`${PAGE.sheet} ${PAGE.seed} ${rater.toLowerCase()}`));
  const groups = [...new Set(PAGE.items.map((item) => item.group))].sort((a, b) => a - b);
  const own = new Set(shuffled(groups, random).slice(0, PAGE.per_rater === null ? groups.length : PAGE.per_rater));
  const order = shuffled(PAGE.items.filter((item) => own.has(item.group)), random);
  for (let i = 1; i < order.length; i += 1) {
    if (order[i].group !== order[i - 1].group) continue;
    const other = order.findIndex((item, j) => j > i && item.group !== order[i - 1].group);
    if (other > i) [order[i], order[other]] = [order[other], order[i]];
  }
  return order;
}
