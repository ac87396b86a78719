/** The figures by which runs are sorted and plotted, and the round steps of a scale for them. */
const measures = (() => {
  const FIXED = [
    { key: "latency", name: "latency", unit: "seconds", of: (cell) => cell.latency_seconds },
    { key: "cost", name: "cost", unit: "usd", of: (cell) => data.cost(cell) },
    { key: "size", name: "file size", unit: "bytes", of: (cell) => data.media(cell)?.bytes },
    { key: "length", name: "length", unit: "seconds", of: (cell) => data.media(cell)?.seconds },
  ];
  const TEXTS = {
    seconds: (value) => data.seconds(value),
    usd: (value) => data.usd(value),
    bytes: (value) => data.bytes(value),
    number: (value) => (Number.isFinite(value) ? String(Number(value.toPrecision(3))) : "–"),
  };
  // From which value on a scale counts in a unit, as [least, size, name].
  const UNITS = {
    seconds: [[7200, 3600, "h"], [120, 60, "min"], [0, 1, "s"]],
    bytes: [[1e9, 1e9, "GB"], [1e6, 1e6, "MB"], [1e3, 1e3, "kB"], [0, 1, "B"]],
  };
  let list = null;
  let source = null;

  /** All measures: what is known of every run, and the scores that some file has. */
  function all() {
    if (source !== store.data.cells) {
      source = store.data.cells;
      const names = new Set(source.flatMap((cell) => Object.keys(data.media(cell)?.scores ?? {})));
      list = [...FIXED, ...[...names].sort().map(score)];
    }
    return list;
  }

  /** The measures that some run has. */
  const known = () => all().filter((measure) => source.some((cell) => figure(measure, cell) !== null));

  const score = (name) => ({ key: `score.${name}`, name, unit: "number", of: (cell) => data.media(cell)?.scores?.[name] });

  const find = (key) => all().find((measure) => measure.key === key) ?? null;

  const text = (measure, value) => TEXTS[measure.unit](value);

  /** A figure of a run; null where it has none. */
  function figure(measure, cell) {
    const value = measure.of(cell);
    return Number.isFinite(value) ? value : null;
  }

  /** Round steps from zero, or from below it, to at least the greatest value: [{at, text}]. */
  function ticks({ unit }, values) {
    const most = Math.max(0, ...extent(values));
    const least = Math.min(0, ...extent(values));
    const [, size, name] = UNITS[unit]?.find(([from]) => most >= from) ?? [0, 1, ""];
    const step = rounded((most - least) / 4 / size || 1);
    const first = Math.floor(least / size / step + 1e-9);
    const last = Math.max(first + 1, Math.ceil(most / size / step - 1e-9));
    const counts = Array.from({ length: last - first + 1 }, (_, at) => (first + at) * step);
    return counts.map((count) => ({ at: count * size, text: labelled(unit, count, digits(step), name) }));
  }

  function extent(values) {
    let [least, most] = [Infinity, -Infinity];
    for (const value of values) {
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
    return values.length ? [least, most] : [];
  }

  /** The next of 1, 2, 2.5, 5 and 10 times a power of ten. */
  function rounded(rough) {
    const power = 10 ** Math.floor(Math.log10(rough));
    return [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999);
  }

  /** How many decimals a step has. */
  const digits = (step) => [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].find((count) => Math.abs(step - Number(step.toFixed(count))) < step * 1e-6) ?? 9;

  function labelled(unit, count, decimals, name) {
    if (unit === "usd") return `$${count.toFixed(Math.max(2, decimals))}`;
    return [count.toFixed(decimals), name].filter(Boolean).join(" ");
  }

  return { all, known, find, text, figure, ticks };
})();
