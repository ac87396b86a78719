/** Random numbers that are the same for the same seed: mulberry32, by Tommy Ettinger (public domain). */
const random = (() => {
  /** A function that returns the next number from 0 to below 1. */
  function from(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  /** A seed that a text decides: FNV-1a. */
  function hash(text) {
    let found = 2166136261;
    for (const character of text) found = Math.imul(found ^ character.codePointAt(0), 16777619);
    return found >>> 0;
  }

  return { from, hash };
})();
