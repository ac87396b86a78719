/** Reads the page's data for the other modules: texts, figures, and the runs that pass the filter. */
const data = (() => {
  const haystacks = new WeakMap();
  const differing = new WeakMap();
  const CENTS = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const FINE = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 4 });
  const GROUPS = ["failed", "uncertain", "downloading", "generating", "queued", "done"];
  const COUNTED = ["done", "downloading", "generating", "queued", "uncertain", "failed"];
  let memo = null;

  const axis = (key) => axes.find(store.data, key) ?? null;

  /** A run's value on an axis as text, or an en dash. */
  function value(cell, key) {
    const place = store.data.axes.findIndex((one) => one.key === key);
    const index = place < 0 ? null : cell.at[place];
    return index === null || index === undefined ? "–" : axes.measured(key, store.data.axes[place].values[index]);
  }

  /** US dollars, with cents, and with more digits below ten cents. */
  function usd(x) {
    if (!Number.isFinite(x)) return "–";
    return `$${(x === 0 || Math.abs(x) >= 0.1 ? CENTS : FINE).format(x)}`;
  }

  /** A duration: seconds below two minutes, then minutes, then hours. */
  function seconds(x) {
    if (!Number.isFinite(x)) return "–";
    if (x < 120) return `${x < 10 ? x.toFixed(1) : Math.round(x)} s`;
    const digits = x < 600 ? 1 : 0; // 150 s are neither two nor three minutes
    return x < 7200 ? `${Number((x / 60).toFixed(digits))} min` : `${(x / 3600).toFixed(1)} h`;
  }

  /** A file's size in decimal units, as file managers show it. */
  function bytes(x) {
    if (!Number.isFinite(x)) return "–";
    const units = ["B", "kB", "MB", "GB", "TB"];
    const power = Math.min(units.length - 1, x > 0 ? Math.floor(Math.log10(x) / 3) : 0);
    return `${(x / 1000 ** power).toFixed(power ? 1 : 0)} ${units[power]}`;
  }

  const media = (cell) => cell.media[0] ?? null;
  const isVideo = (one) => Boolean(one) && one.type.startsWith("video/");

  /** What a run cost in US dollars; null while that is unknown, whatever is estimated. */
  const cost = (cell) => cell.actual_usd ?? cell.spent_usd ?? null;

  function haystack(cell) {
    if (!haystacks.has(cell)) {
      const facts = [cell.number, cell.status, cell.group, cell.prompt, cell.label, cell.provider, cell.model, cell.deployment,
        cell.job_id, cell.reason, cell.directory, ...Object.values(cell.own ?? {}).map(axes.text)];
      haystacks.set(cell, facts.filter((fact) => fact !== null && fact !== undefined).join("\n").toLowerCase());
    }
    return haystacks.get(cell);
  }

  function passes(state) {
    const words = state.find.toLowerCase().split(/\s+/).filter(Boolean);
    const groups = new Set(state.groups);
    return (cell) => {
      if (groups.size && !groups.has(cell.group)) return false;
      if (words.length && !words.every((word) => haystack(cell).includes(word))) return false;
      return files.seen(cell).length > 0;
    };
  }

  const RANKS = {
    number: (cell) => cell.sweep * 1e9 + cell.number,
    status: (cell) => GROUPS.indexOf(cell.group),
    rating: (cell) => -(judged.best(cell) ?? NaN), // the best first
  };

  /** What runs can be sorted by, as [key, name]. */
  const sorts = () => [["number", "number"], ["rating", "rating"], ...measures.all().map(({ key, name }) => [key, name]), ["status", "status"]];

  /** What a run is sorted by; infinite where it has no such figure. */
  function rank(cell) {
    const { sort } = store.state;
    const found = (RANKS[sort] ?? measures.find(sort)?.of ?? RANKS.number)(cell);
    return Number.isFinite(found) ? found : Infinity;
  }

  function compare(one, other) {
    const [a, b] = [rank(one), rank(other)];
    return a === b ? RANKS.number(one) - RANKS.number(other) : a - b;
  }

  /** The runs that pass the filter, in the order chosen; those without a figure come last. */
  function shown() {
    const { find, groups, starred, unrejected, judged: wanted, sort } = store.state;
    const asked = JSON.stringify([find, groups, starred, unrejected, wanted, sort]);
    if (memo?.asked !== asked || memo.source !== store.data) {
      const cells = store.data.cells.filter(passes(store.state));
      memo = { asked, source: store.data, cells: cells.sort(compare) };
    }
    return memo.cells;
  }

  /** Whether runs differ in something that the axes which are seen do not tell; `read` gives it of a run. */
  function untold(name, read) {
    const { x, y, tab } = store.state;
    return ["", x, y, tab].every((key) => differs(name, read, key));
  }

  function differs(name, read, key) {
    const { cells } = store.data;
    if (!differing.has(cells)) differing.set(cells, new Map());
    const known = differing.get(cells);
    const asked = `${name} ${key}`;
    if (!known.has(asked)) known.set(asked, spread(cells, read, axes.reader(store.data, key)));
    return known.get(asked);
  }

  function spread(cells, read, group) {
    const first = new Map();
    return cells.some((cell) => {
      if (!first.has(group(cell))) first.set(group(cell), read(cell));
      return first.get(group(cell)) !== read(cell);
    });
  }

  /** How many runs there are of each group that occurs, as [group, count]. */
  function groups() {
    const counts = new Map();
    for (const cell of store.data.cells) counts.set(cell.group, (counts.get(cell.group) ?? 0) + 1);
    return COUNTED.filter((group) => counts.has(group)).map((group) => [group, counts.get(group)]);
  }

  function start() {
    ratings.on(() => { memo = null; });
  }

  return { axis, value, usd, seconds, bytes, media, isVideo, cost, shown, sorts, rank, untold, groups, start };
})();
