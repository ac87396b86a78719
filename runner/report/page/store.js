/** The page's data and what the reader chose to see; every choice stands in the URL's hash. */
const store = (() => {
  const FIXED = {
    at: 0, fixed: {}, find: "", groups: [], starred: false, unrejected: false, judged: "", sort: "number", size: 0,
    compare: [], mode: "", open: "", focus: "", view: "grid", of: "", by: "", hue: "",
    rank: "", pairs: false, seed: 0,
  };
  const MODES = ["compare2", "compare4", "wipe", "words"];
  const VIEWS = ["grid", "plot", "scores"];
  const SIZES = { least: 120, most: 640 }; // pixels of a cell; 0 lets cells fit the window
  const listeners = new Set();
  const state = {};
  let defaults = {};
  let chosen = {};
  let ids = new Map();
  let current = null;
  let timer = 0;

  const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

  function take(data) {
    current = data;
    ids = new Map(data.cells.flatMap((cell) => [...files.of(cell).map((one) => [one.id, one]), [cell.id, cell]]));
    defaults = { ...FIXED, ...axes.arrange(data) };
    for (const { name, sign } of data.states) {
      tile.SIGNS[name] = sign;
      tile.WORDS[name] = name.charAt(0).toUpperCase() + name.slice(1);
    }
  }

  /** Hold the choices against what there is: what does not exist falls back to its default. */
  function settle() {
    const before = { ...state };
    Object.assign(state, defaults, chosen);
    axes.settle(current, state, defaults);
    settleRuns();
    state.groups = state.groups.filter((name) => Object.hasOwn(tile.WORDS, name));
    if (state.size !== 0) state.size = Math.min(SIZES.most, Math.max(SIZES.least, state.size));
    if (!data.sorts().some(([key]) => key === state.sort)) state.sort = defaults.sort;
    if (!VIEWS.includes(state.view)) state.view = defaults.view;
    return new Set(Object.keys(state).filter((key) => !same(before[key], state[key])));
  }

  function settleRuns() {
    state.compare = state.compare.filter((id) => ids.has(id)).slice(0, 4);
    if (!ids.has(state.open)) state.open = "";
    if (!ids.has(state.focus)) state.focus = "";
    if (MODES.includes(state.mode) && state.compare.length > 1) return;
    state.mode = "";
    delete chosen.mode; // else the comparison would open by itself once two runs are chosen again
  }

  function tell(changed) {
    if (changed.size) for (const listener of [...listeners]) listener(changed);
  }

  /** Merge choices, keep them in the hash, and tell listeners which keys changed. */
  function set(patch) {
    chosen = { ...chosen, ...patch };
    tell(settle());
    clearTimeout(timer);
    timer = setTimeout(keep, 120);
  }

  function keep() {
    clearTimeout(timer);
    const hash = write();
    if (hash !== location.hash.slice(1)) history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  }

  /** The choices that are no defaults, as a query string. */
  function write() {
    const parameters = new URLSearchParams();
    for (const [key, value] of Object.entries(state)) {
      if (same(value, defaults[key])) continue;
      if (key === "fixed") keepFixed(parameters, value);
      else parameters.set(key, Array.isArray(value) ? value.join(" ") : value);
    }
    return parameters.toString();
  }

  /** Each axis that is fixed; where none is although some are by default, that is said too. */
  function keepFixed(parameters, fixed) {
    for (const [axis, index] of Object.entries(fixed)) parameters.set(`fixed.${axis}`, index);
    if (same(fixed, {})) parameters.set("fixed", "");
  }

  function read(hash) {
    const found = {};
    for (const [key, text] of new URLSearchParams(hash)) {
      if (key === "fixed") found.fixed ??= {};
      else if (key.startsWith("fixed.")) found.fixed = { ...found.fixed, [key.slice(6)]: Number(text) || 0 };
      else if (Object.hasOwn(defaults, key)) found[key] = parse(defaults[key], text);
    }
    return found;
  }

  function parse(like, text) {
    if (Array.isArray(like)) return text.split(" ").filter(Boolean);
    if (typeof like === "number") return text.trim() && Number.isFinite(Number(text)) ? Number(text) : like;
    return typeof like === "boolean" ? text === "true" : text;
  }

  /** Take a newer copy of the page's data; all choices stay. */
  function replaceData(data) {
    take(data);
    tell(settle().add("data"));
  }

  function start() {
    take(JSON.parse(document.getElementById("data").textContent));
    chosen = read(location.hash.slice(1));
    settle();
    addEventListener("hashchange", () => {
      chosen = read(location.hash.slice(1));
      tell(settle());
    });
    addEventListener("pagehide", keep);
  }

  return {
    get data() { return current; },
    state,
    SIZES,
    set,
    on(listener) { listeners.add(listener); return () => listeners.delete(listener); },
    /** The run of an id, or one of several files of a run. */
    cell: (id) => ids.get(id) ?? null,
    replaceData,
    start,
  };
})();
