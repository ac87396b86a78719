/**
 * What latency and cost depend on: a point for each run over the values of one parameter, a stroke at each median,
 * and the same figures as a table.
 */
const plot = (() => {
  const WIDEST = 720;
  const HEIGHT = 320;
  const EDGE = { left: 64, right: 16, top: 16, bottom: 56 };
  const MEASURES = [
    { name: "Latency", of: (cell) => cell.latency_seconds, text: (value) => data.seconds(value) },
    { name: "Cost", of: (cell) => data.cost(cell), text: (value) => data.usd(value) },
  ];
  const MOST_POINTS = 3000;
  const MOST_ROWS = 500;
  const CROWD = 300;
  let chosen = "";
  let width = WIDEST;

  const container = () => document.getElementById("plot");

  /** A fraction that is always the same for one key, so that points keep their place. */
  function jitter(key) {
    let hash = 2166136261;
    for (const character of key) hash = Math.imul(hash ^ character.codePointAt(0), 16777619);
    return ((hash >>> 0) % 1000) / 1000;
  }

  /** The least figure that half of all do not exceed, as in the totals; null of none. */
  const median = (sorted) => sorted[Math.ceil(sorted.length / 2) - 1] ?? null;

  /** The runs with a figure by the values of an axis: [{name, cells, sorted, median}]. */
  function columns(axis, measure) {
    const place = axis ? store.data.axes.indexOf(axis) : -1;
    const names = axis ? axes.slots(store.data, axis.key) : [{ index: null, text: "all runs" }];
    const cells = new Map(names.map(({ index }) => [index, []]));
    for (const cell of data.shown())
      if (Number.isFinite(measure.of(cell))) cells.get(cell.at[place] ?? null).push(cell);
    return names.map(({ index, text }) => column(text, cells.get(index), measure));
  }

  function column(name, cells, measure) {
    const sorted = cells.map(measure.of).sort((one, other) => one - other);
    return { name, cells, sorted, median: median(sorted) };
  }

  /** Round steps from zero to at least the greatest value. */
  function ticks(most) {
    if (!(most > 0)) return [0, 1];
    const rough = most / 4;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999);
    return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, index) => index * step);
  }

  function scales(found) {
    const most = Math.max(0, ...found.map(({ sorted }) => sorted[sorted.length - 1] ?? 0));
    const steps = ticks(most);
    const top = steps[steps.length - 1];
    const count = found.reduce((sum, { cells }) => sum + cells.length, 0);
    const band = (width - EDGE.left - EDGE.right) / found.length;
    return {
      steps,
      band,
      radius: count > CROWD ? 3 : 5,
      x: (column, share) => EDGE.left + band * (column + share),
      y: (value) => HEIGHT - EDGE.bottom - ((HEIGHT - EDGE.top - EDGE.bottom) * value) / top,
    };
  }

  function lines({ steps, y }, measure) {
    return steps.flatMap((step) => [
      icon.svg("line", { class: "rule", x1: EDGE.left, x2: width - EDGE.right, y1: y(step), y2: y(step) }),
      icon.svg("text", { class: "tick", x: EDGE.left - 8, y: y(step) + 4, "text-anchor": "end" }, measure.text(step)),
    ]);
  }

  function point(cell, column, { x, y, radius }, measure) {
    const title = icon.svg(
      "title",
      {},
      `#${cell.number}  ${measure.text(measure.of(cell))}  ${tile.clip(cell.label, 200)}`,
    );
    return icon.svg(
      "circle",
      {
        class: "point",
        "data-group": cell.group,
        "data-id": cell.id,
        r: radius,
        cx: x(column, 0.2 + 0.6 * jitter(cell.key)),
        cy: y(measure.of(cell)),
        onclick: () => detail.open(cell.id),
      },
      title,
    );
  }

  /** Every so many of a list; figures and medians are of all. */
  const thinned = (list, most) => list.filter((_, index) => index % Math.ceil(list.length / most) === 0);

  function stroke(height, at, { x, y }) {
    const place = { x1: x(at, 0.12), x2: x(at, 0.88), y1: y(height), y2: y(height) };
    return icon.svg("line", { class: "median", ...place });
  }

  function marks(found, scale, measure) {
    const runs = found.flatMap(({ cells }, at) => cells.map((cell) => ({ cell, at })));
    const strokes = found.map((one, at) => ({ height: one.median, at })).filter(({ height }) => height !== null);
    return [
      ...thinned(runs, MOST_POINTS).map(({ cell, at }) => point(cell, at, scale, measure)),
      ...thinned(strokes, MOST_ROWS).map(({ height, at }) => stroke(height, at, scale)),
    ];
  }

  function names(found, { x, band }) {
    const every = Math.ceil(found.length / 24);
    const room = Math.max(2, Math.floor((band * every) / 7));
    return found
      .map(({ name }, column) =>
        column % every
          ? null
          : icon.svg(
              "text",
              { class: "tick", x: x(column, 0.5), y: HEIGHT - EDGE.bottom + 20, "text-anchor": "middle" },
              icon.svg("title", {}, tile.clip(name, 600)),
              tile.clip(name, room),
            ),
      )
      .filter(Boolean);
  }

  function drawing(found, measure, axis) {
    const scale = scales(found);
    const medians = found
      .filter(({ median }) => median !== null)
      .slice(0, 12)
      .map(({ name, median }) => `${tile.clip(name, 40)}: ${measure.text(median)}`);
    return icon.svg(
      "svg",
      {
        viewBox: `0 0 ${width} ${HEIGHT}`,
        role: "img",
        "aria-label": `${measure.name} by ${axis?.name ?? "run"}; medians: ${medians.join("; ")}`,
      },
      ...lines(scale, measure),
      ...marks(found, scale, measure),
      ...names(found, scale),
      icon.svg(
        "text",
        { class: "axis", x: (EDGE.left + width - EDGE.right) / 2, y: HEIGHT - 8, "text-anchor": "middle" },
        axis?.name ?? "",
      ),
    );
  }

  function table(found, measure, axis) {
    const head = [axis?.name ?? "", "runs", "least", "median", "most"].map((name) =>
      dom.make("th", { scope: "col" }, name),
    );
    const figures = ({ sorted, median }) =>
      sorted.length ? [sorted[0], median, sorted[sorted.length - 1]].map(measure.text) : ["–", "–", "–"];
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
      dom.make("summary", {}, `${measure.name} as a table`),
      dom.make(
        "div",
        { class: "scroller", tabindex: 0, role: "group", "aria-label": `${measure.name} as a table` },
        dom.make("table", {}, dom.make("thead", {}, dom.make("tr", {}, ...head)), dom.make("tbody", {}, ...body)),
        left > 0 ? dom.make("p", { class: "muted" }, `and ${left} values more`) : null,
      ),
    );
  }

  function figure(axis, measure) {
    const found = columns(axis, measure);
    const none = found.every(({ cells }) => !cells.length);
    return dom.make(
      "figure",
      { "data-measure": measure.name.toLowerCase() },
      dom.make("figcaption", {}, measure.name),
      none
        ? dom.make("p", { class: "muted" }, "No run that is shown has this figure yet.")
        : drawing(found, measure, axis),
      none ? null : table(found, measure, axis),
    );
  }

  function picker(axis) {
    const select = dom.make(
      "select",
      {
        id: "plot-axis",
        onchange: (event) => {
          chosen = event.target.value;
          render();
        },
      },
      ...axes
        .varying(store.data)
        .map((one) => dom.make("option", { value: one.key, selected: one === axis }, one.name)),
    );
    return dom.make(
      "div",
      { class: "plot-bar" },
      dom.make("label", { for: "plot-axis" }, "By"),
      select,
      dom.make("span", { class: "muted" }, "a point a run, a stroke at the median; click a point to open its run"),
    );
  }

  /** The axis that was chosen, else the one across, else the first that varies. */
  function axis() {
    const keys = [chosen, store.state.x, axes.varying(store.data)[0]?.key];
    return keys.map((key) => key && data.axis(key)).find(Boolean) ?? null;
  }

  const room = () => Math.max(300, Math.min(WIDEST, container().clientWidth - 66));
  const tables = () => [...container().querySelectorAll("details")];

  function render() {
    const shown = store.state.view === "plot";
    container().hidden = !shown;
    if (!shown) return;
    // Drawn as wide as it is shown, so that its texts keep their size.
    width = room();
    const opened = tables().map((table) => table.open);
    const focused = document.activeElement?.id === "plot-axis";
    const wide = axis();
    container().replaceChildren(
      ...(wide ? [picker(wide)] : []),
      dom.make("div", { class: "plot-figures" }, ...MEASURES.map((measure) => figure(wide, measure))),
    );
    tables().forEach((table, index) => {
      table.open = opened[index] ?? false;
    });
    if (focused) document.getElementById("plot-axis")?.focus();
  }

  /** Draws whenever what is shown changes. */
  function start() {
    const telling = ["view", "x", "find", "groups", "starred", "unrejected", "judged", "data"];
    store.on((changed) => {
      if (telling.some((key) => changed.has(key))) render();
    });
    ratings.on(() => {
      if (judged.isOn()) render();
    });
    addEventListener("resize", () => {
      if (room() !== width) render();
    });
    render();
  }

  return { start };
})();
