/**
 * The master clock of all videos: seconds since the beginning, advancing while it runs, times its speed.
 *
 * It knows no video; `now` is in milliseconds of `performance.now()`.
 */
const clock = (() => {
  const state = { base: 0, since: 0, running: false, speed: 1, loop: true, length: 0 };

  const raw = (now) => state.base + (state.running ? ((now - state.since) / 1000) * state.speed : 0);

  /** Where the clock stands: within the length, from its beginning again where it loops. */
  const at = (now = performance.now()) => {
    const position = raw(now);
    if (state.length <= 0) return 0;
    if (position < state.length) return Math.max(0, position);
    return state.loop && state.running ? position % state.length : state.length;
  };

  /** Sets the position and goes on from there. */
  const set = (seconds, now = performance.now()) => {
    state.base = Math.min(Math.max(0, seconds), state.length || 0);
    state.since = now;
  };

  /** Changes what the clock does without moving it. */
  const change = (patch, now = performance.now()) => {
    const position = at(now);
    Object.assign(state, patch);
    set(position, now);
  };

  /** Whether it has come to the end of its length, and stays there. */
  const ended = (now = performance.now()) => !state.loop && state.length > 0 && raw(now) >= state.length;

  /** Which round of the loop it is in. */
  const round = (now = performance.now()) => (state.length > 0 ? Math.floor(raw(now) / state.length) : 0);

  return {
    at,
    set,
    change,
    ended,
    round,
    get running() {
      return state.running;
    },
    get speed() {
      return state.speed;
    },
    get loop() {
      return state.loop;
    },
    get length() {
      return state.length;
    },
  };
})();
