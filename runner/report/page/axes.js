/** Which parameter goes where: across, down, into tabs, or together into one cell. */
const axes = (() => {
  const WIDEST = 8; // more columns than that are better rows
  const FULLEST = 6; // more runs than that in one cell are better fixed by a select

  const UNITS = [["_seconds", (value) => `${value} s`], ["_usd", (value) => `$${value}`]];

  const count = (axis) => axis.values.length;
  const varying = (data) => data.axes.filter((axis) => axis.values.length > 1);
  /** Those that tell something of their own: each value of another has one of its own of the rest. */
  const own = (data) => varying(data).filter((axis) => !axis.of);
  const isRow = (axis) => axis.key === "id" || axis.key === "request.prompt_file";
  const isPrompt = (axis) => axis.name === "prompt" || axis.key.endsWith(".prompt");

  /** The arrangement that a page opens with: {x, y, tab, fixed}. */
  function arrange(data) {
    const all = own(data).filter((axis) => axis.key !== "replica");
    const tab = all.length > 2 ? all.find((axis) => axis.key === "sweep") : undefined;
    const rest = all.filter((axis) => axis !== tab && (!tab || varies(data, axis, tab)));
    const y = pick(rest, isRow) ?? pick(rest, isPrompt) ?? pick(rest, (axis) => rest.length > 1 && count(axis) > WIDEST);
    const x = pick(rest, (axis) => count(axis) <= WIDEST) ?? (y && rest.shift());
    const down = y ?? rest.shift();
    const found = { x: key(x), y: key(down), tab: key(tab ?? rest.shift()), fixed: {} };
    if (isPoor(data, found)) return { x: "", y: "", tab: "", fixed: {} };
    return { ...found, fixed: thin(data, found) };
  }

  function pick(list, wanted) {
    const index = list.findIndex(wanted);
    return index < 0 ? undefined : list.splice(index, 1)[0];
  }

  const key = (axis) => axis?.key ?? "";
  const find = (data, wanted) => data.axes.find((axis) => axis.key === wanted);

  /** What reads a run's index on an axis; null where it has none, and on no axis at all. */
  function reader(data, wanted) {
    const place = data.axes.findIndex((axis) => axis.key === wanted);
    return (cell) => cell.at[place] ?? null;
  }

  /** Whether an axis varies between runs that share a value of another. */
  function varies(data, axis, other) {
    const [own, shared] = [reader(data, axis.key), reader(data, other.key)];
    const first = new Map();
    return data.cells.some((cell) => {
      if (!first.has(shared(cell))) first.set(shared(cell), own(cell));
      return first.get(shared(cell)) !== own(cell);
    });
  }

  /** A grid that would be mostly holes, or one long line, reads better as a list. */
  function isPoor(data, { x, y, tab }) {
    const [across, down, tabs] = [x, y, tab].map((one) => reader(data, one));
    const sheets = new Map();
    for (const cell of data.cells) {
      const sheet = sheets.get(tabs(cell)) ?? { rows: new Set(), columns: new Set(), taken: new Set() };
      sheets.set(tabs(cell), sheet);
      sheet.rows.add(down(cell));
      sheet.columns.add(across(cell));
      sheet.taken.add(`${down(cell)} ${across(cell)}`);
    }
    const sum = (read) => [...sheets.values()].reduce((total, sheet) => total + read(sheet), 0);
    if (sum(({ rows, columns }) => rows.size * columns.size) > 4 * sum(({ taken }) => taken.size)) return true;
    return !x && !tab && (!y || count(find(data, y)) > WIDEST);
  }

  /** While a cell would be too full, fix axes to their first value, the last first; none that some runs lack. */
  function thin(data, shown) {
    const fixed = {};
    const whole = (axis) => data.cells.every((cell) => reader(data, axis.key)(cell) !== null);
    const free = others(data, shown).filter(whole);
    while (free.length && fullest(data, shown, fixed) > FULLEST) fixed[free.pop().key] = 0;
    return fixed;
  }

  function fullest(data, { x, y, tab }, fixed) {
    const read = [x, y, tab].map((one) => reader(data, one));
    const kept = Object.keys(fixed).map((one) => reader(data, one));
    const counts = new Map();
    for (const cell of data.cells) {
      if (!kept.every((one) => one(cell) === 0)) continue;
      const slot = read.map((one) => one(cell)).join(" ");
      counts.set(slot, (counts.get(slot) ?? 0) + 1);
    }
    return [...counts.values()].reduce((most, size) => Math.max(most, size), 0);
  }

  /** The axes of their own that are neither across, down nor tabs. */
  function others(data, { x, y, tab }) {
    return own(data).filter((axis) => ![x, y, tab].includes(axis.key));
  }

  /** Put a choice right that the data does not offer; an axis has one place. */
  function settle(data, state, defaults) {
    const used = new Set();
    for (const place of ["x", "y", "tab"]) {
      if (!find(data, state[place])) state[place] = state[place] === "" ? "" : find(data, defaults[place])?.key ?? "";
      if (used.has(state[place])) state[place] = "";
      if (state[place]) used.add(state[place]);
    }
    state.fixed = Object.fromEntries(Object.entries(state.fixed).filter(([one, index]) =>
      find(data, one) && !used.has(one) && Number.isInteger(index) && index >= 0 && index < slots(data, one).length));
    state.at = Math.min(Math.max(0, Math.trunc(state.at)), Math.max(0, slots(data, state.tab).length - 1));
  }

  /** An axis' values as {index, text, note}, with a last one for runs that have none. */
  function slots(data, wanted) {
    const place = data.axes.findIndex((axis) => axis.key === wanted);
    if (place < 0) return [];
    const { key, values, notes } = data.axes[place];
    const found = values.map((value, index) => ({ index, text: measured(key, value), note: notes?.[index] }));
    if (data.cells.some((cell) => cell.at[place] === null || cell.at[place] === undefined)) {
      found.push({ index: null, text: "–" });
    }
    return found;
  }

  /** A value in one line, with the prompt that it stands for. */
  const line = ({ text: own, note }) => (note ? `${own} · ${note}` : own);

  /** What an axis is called, without the unit that its values have. */
  const title = ({ key, name }) => (UNITS.some(([end]) => key.endsWith(end)) ? name.replace(/_[a-z]+$/, "") : name);

  /** A value of an axis, with its unit. */
  function measured(key, value) {
    const [, unit] = (typeof value === "number" && UNITS.find(([end]) => key.endsWith(end))) || [];
    return unit ? unit(value) : text(value);
  }

  /** A value with its axis' name where it does not say by itself what it is. */
  const named = (axis, value) => (value.length > 4 ? value : `${title(axis)} ${value}`);

  /** A value as a reader would write it. */
  function text(value) {
    if (value === null || value === undefined) return "–";
    return typeof value === "object" ? JSON.stringify(value) : String(value);
  }

  return { arrange, settle, own, others, slots, line, text, title, measured, named, find, varying, reader };
})();
