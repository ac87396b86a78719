/** One measure over the values of a parameter: a point for each run, a stroke at each median, and the same as a table. */
const strip = (() => {
  const HEIGHT = 320;
  const EDGE = { left: 64, right: 16, top: 16, bottom: 56 };
  const MOST_POINTS = 3000;
  const MOST_ROWS = 500;
  const CROWD = 300;

  /** A fraction that is always the same for one key, so that points keep their place. */
  function jitter(key) {
    let hash = 2166136261;
    for (const character of key) hash = Math.imul(hash ^ character.codePointAt(0), 16777619);
    return ((hash >>> 0) % 1000) / 1000;
  }

  /** The least figure that half of all do not exceed, as in the totals; null of none. */
  const median = (sorted) => sorted[Math.ceil(sorted.length / 2) - 1] ?? null;

  /** The runs with a figure by the values of an axis: [{name, cells, sorted, median}]. */
  function columns(cells, axis, measure) {
    const place = axis ? store.data.axes.indexOf(axis) : -1;
    const names = axis ? axes.slots(store.data, axis.key) : [{ index: null, text: "all runs" }];
    const found = new Map(names.map(({ index }) => [index, []]));
    for (const cell of cells) if (measures.figure(measure, cell) !== null) found.get(cell.at[place] ?? null).push(cell);
    return names.map(({ index, text }) => column(text, found.get(index), measure));
  }

  function column(name, cells, measure) {
    const sorted = cells.map(measure.of).sort((one, other) => one - other);
    return { name, cells, sorted, median: median(sorted) };
  }

  function scales(found, measure, width) {
    const steps = measures.ticks(measure, found.flatMap(({ sorted }) => (sorted.length ? [sorted[0], sorted[sorted.length - 1]] : [])));
    const [least, most] = [steps[0].at, steps[steps.length - 1].at];
    const count = found.reduce((sum, { cells }) => sum + cells.length, 0);
    const band = (width - EDGE.left - EDGE.right) / found.length;
    return {
      steps,
      band,
      radius: count > CROWD ? 3 : 5,
      x: (column, share) => EDGE.left + band * (column + share),
      y: (value) => HEIGHT - EDGE.bottom - ((HEIGHT - EDGE.top - EDGE.bottom) * (value - least)) / (most - least),
    };
  }

  function lines({ steps, y }, width) {
    return steps.flatMap(({ at, text }) => [
      icon.svg("line", { class: "rule", x1: EDGE.left, x2: width - EDGE.right, y1: y(at), y2: y(at) }),
      icon.svg("text", { class: "tick", x: EDGE.left - 8, y: y(at) + 4, "text-anchor": "end" }, text),
    ]);
  }

  function point(cell, column, { x, y, radius }, measure, look) {
    const told = `#${cell.number}  ${measures.text(measure, measure.of(cell))}  ${tile.clip(cell.label, 200)}`;
    const place = { cx: x(column, 0.2 + 0.6 * jitter(cell.key)), cy: y(measure.of(cell)), r: radius };
    const facts = { class: "point", "data-id": cell.id, ...look(cell), onclick: () => detail.open(cell.id) };
    return icon.svg("circle", { ...facts, ...place }, icon.svg("title", {}, told));
  }

  /** Every so many of a list; figures and medians are of all. */
  const thinned = (list, most) => list.filter((_, index) => index % Math.ceil(list.length / most) === 0);

  function stroke(height, at, { x, y }) {
    const place = { x1: x(at, 0.12), x2: x(at, 0.88), y1: y(height), y2: y(height) };
    return icon.svg("line", { class: "median", ...place });
  }

  function marks(found, scale, measure, look) {
    const runs = found.flatMap(({ cells }, at) => cells.map((cell) => ({ cell, at })));
    const strokes = found.map((one, at) => ({ height: one.median, at })).filter(({ height }) => height !== null);
    return [
      ...thinned(runs, MOST_POINTS).map(({ cell, at }) => point(cell, at, scale, measure, look)),
      ...thinned(strokes, MOST_ROWS).map(({ height, at }) => stroke(height, at, scale)),
    ];
  }

  function names(found, { x, band }) {
    const every = Math.ceil(found.length / 24);
    const texts = shorten.apart(found.map(({ name }) => name), Math.max(2, Math.floor((band * every) / 7)));
    return found
      .map(({ name }, column) =>
        column % every
          ? null
          : icon.svg(
              "text",
              { class: "tick", x: x(column, 0.5), y: HEIGHT - EDGE.bottom + 20, "text-anchor": "middle" },
              icon.svg("title", {}, tile.clip(name, 600)),
              texts[column],
            ),
      )
      .filter(Boolean);
  }

  function drawing(found, measure, axis, width, look) {
    const scale = scales(found, measure, width);
    const medians = found
      .filter(({ median }) => median !== null)
      .slice(0, 12)
      .map(({ name, median }) => `${tile.clip(name, 40)}: ${measures.text(measure, median)}`);
    const title = axis ? axes.title(axis) : "";
    return icon.svg(
      "svg",
      {
        viewBox: `0 0 ${width} ${HEIGHT}`,
        role: "img",
        "aria-label": `${measure.name} by ${title || "run"}; medians: ${medians.join("; ")}`,
      },
      ...lines(scale, width),
      ...marks(found, scale, measure, look),
      ...names(found, scale),
      icon.svg("text", { class: "axis", x: (EDGE.left + width - EDGE.right) / 2, y: HEIGHT - 8, "text-anchor": "middle" }, title),
    );
  }

  function table(found, measure, axis) {
    const text = (value) => measures.text(measure, value);
    const head = [axis ? axes.title(axis) : "", "runs", "least", "median", "most"].map((name) => dom.make("th", { scope: "col" }, name));
    const figures = ({ sorted, median }) =>
      sorted.length ? [sorted[0], median, sorted[sorted.length - 1]].map(text) : ["–", "–", "–"];
    const body = found
      .slice(0, MOST_ROWS)
      .map((one) =>
        dom.make(
          "tr",
          {},
          dom.make("th", { scope: "row", dir: "auto" }, tile.clip(one.name, 200)),
          ...[one.cells.length, ...figures(one)].map((figure) => dom.make("td", {}, figure)),
        ),
      );
    const left = found.length - body.length;
    return dom.make(
      "details",
      {},
      dom.make("summary", {}, `${titled(measure)} as a table`),
      dom.make(
        "div",
        { class: "scroller", tabindex: 0, role: "group", "aria-label": `${titled(measure)} as a table` },
        dom.make("table", {}, dom.make("thead", {}, dom.make("tr", {}, ...head)), dom.make("tbody", {}, ...body)),
        left > 0 ? dom.make("p", { class: "muted" }, `and ${left} values more`) : null,
      ),
    );
  }

  const titled = ({ name }) => `${name[0].toUpperCase()}${name.slice(1)}`;

  /** The figure of some runs. `look` gives the attributes by which a run's point is coloured. */
  function figure(cells, axis, measure, width, look) {
    const found = columns(cells, axis, measure);
    const none = found.every((one) => !one.cells.length);
    return dom.make(
      "figure",
      { "data-measure": measure.key },
      dom.make("figcaption", {}, titled(measure)),
      none
        ? dom.make("p", { class: "muted" }, "No run that is shown has this figure yet.")
        : drawing(found, measure, axis, width, look),
      none ? null : table(found, measure, axis),
    );
  }

  return { figure, titled, thinned };
})();
