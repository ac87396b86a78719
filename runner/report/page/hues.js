/** What the points of a plot are coloured by: the state of a run, the values of a parameter, or a measure from its least to its greatest figure. */
const hues = (() => {
  const MOST = 8; // more colours are not told apart
  const isNumeric = (axis) => axis.values.every((value) => typeof value === "number");

  /** What can be chosen, as [[group, [[key, name], …]], …]. */
  const choices = () => [
    [null, [["", "state"]]],
    ["parameter", axes.varying(store.data).map((axis) => [axis.key, axes.title(axis)])],
    ["measure", measures.known().map(({ key, name }) => [key, name])],
  ];

  /** The key that is chosen, or "" for the state. */
  const key = () => (choices().some(([, list]) => list.some(([one]) => one === store.state.hue)) ? store.state.hue : "");

  /** The colours of these runs: {look, legend}: a point's attributes by its run, and what tells their meaning or null. */
  function of(cells) {
    const wanted = key();
    const measure = measures.find(wanted);
    if (measure) return along(cells, measure.name, (cell) => measures.figure(measure, cell), (value) => measures.text(measure, value));
    const axis = wanted && data.axis(wanted);
    if (!axis) return { look: (cell) => ({ "data-group": cell.group }), legend: null };
    const read = axes.reader(store.data, axis.key);
    const slots = axes.slots(store.data, axis.key);
    if (slots.length > MOST && isNumeric(axis)) {
      const value = (cell) => axis.values[read(cell)] ?? null;
      return along(cells, axes.title(axis), value, (number) => axes.measured(axis.key, number));
    }
    return each(cells, axes.title(axis), slots, read);
  }

  /** A colour for each value; of too many values, those that most runs have, and one for all others. */
  function each(cells, title, slots, read) {
    const counts = new Map();
    for (const cell of cells) counts.set(read(cell), (counts.get(read(cell)) ?? 0) + 1);
    const count = ({ index }) => counts.get(index) ?? 0;
    const few = slots.length <= MOST;
    const frequent = new Set([...slots].sort((one, other) => count(other) - count(one)).slice(0, few ? MOST : MOST - 1));
    const own = slots.filter((slot) => frequent.has(slot));
    const places = new Map(own.map(({ index }, at) => [index, at]));
    const entries = own.map(({ text }, at) => entry({ "data-hue": at }, tile.clip(text, 80)));
    if (!few) entries.push(entry({ "data-hue": MOST - 1 }, `${slots.length - own.length} other values`));
    return { look: (cell) => ({ "data-hue": places.get(read(cell)) ?? MOST - 1 }), legend: list(title, entries) };
  }

  /** Colours from the least to the greatest of the numbers that `of` gives, or null, of a run. */
  function along(cells, title, of_, text) {
    const numbers = cells.map(of_).filter((number) => number !== null);
    const least = numbers.reduce((one, other) => Math.min(one, other), Infinity);
    const most = numbers.reduce((one, other) => Math.max(one, other), -Infinity);
    const share = (number) => (most > least ? (number - least) / (most - least) : 0.5);
    const look = (cell) => {
      const number = of_(cell);
      return number === null ? { "data-hue": "none" } : { "data-share": "", style: `--share: ${share(number).toFixed(3)}` };
    };
    const ends = dom.make("li", {}, `${title} from ${text(least)}`, dom.make("i", { class: "ramp", "aria-hidden": "true" }), ` to ${text(most)}`);
    const without = numbers.length < cells.length ? entry({ "data-hue": "none" }, `no ${title}`) : null;
    return { look, legend: list(title, numbers.length ? [ends, without] : [without]) };
  }

  const entry = (look, text) => dom.make("li", {}, dom.make("i", { ...look, "aria-hidden": "true" }), text);
  const list = (title, entries) => dom.make("ul", { class: "legend", "aria-label": title }, ...entries);

  return { choices, key, of };
})();
