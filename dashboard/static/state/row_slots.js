// @ts-check
// Owns which element of a list each row is drawn into: its own for as long as it is in
// sight, and then a newer row's, as to write anew is a third of the work of making new.
// view/feed.js draws by it. Pure.

/**
 * A slot for each id, in their order. Those that are still there keep theirs, so that
 * focus and pointer stay on them; unless most are new: then nothing is moved about.
 * @param {ReadonlyMap<number | string, number> | undefined} before
 * @param {(number | string)[]} ids
 */
export function slotsFor(before = new Map(), ids) {
  const stay = ids.filter((id) => before.has(id));
  const kept = 2 * stay.length >= ids.length ? stay : [];
  const taken = new Set(kept.map((id) => before.get(id)));
  const free = [...before.values()].filter((slot) => !taken.has(slot));
  let next = Math.max(-1, ...before.values()) + 1;
  /** @type {Map<number | string, number>} */
  const slots = new Map();
  for (const id of ids) {
    const own = kept.length > 0 ? before.get(id) : undefined;
    slots.set(id, own ?? free.shift() ?? next++);
  }
  return slots;
}
