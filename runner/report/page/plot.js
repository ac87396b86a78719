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
  const CROWD = 300;
  let chosen = "";
  let width = WIDEST;

  const container = () => document.getElementById("plot");
  const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

  /** A fraction that is always the same for one key, so that points keep their place. */
  function jitter(key) {
    let hash = 2166136261;
    for (const character of key) hash = Math.imul(hash ^ character.codePointAt(0), 16777619);
    return ((hash >>> 0) % 1000) / 1000;
  }

  function quantile(sorted, share) {
    const at = (sorted.length - 1) * share;
    const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
    return low + (high - low) * (at - Math.floor(at));
  }

  /** The runs with a figure by the values of an axis: [{name, cells, sorted, median}]. */
  function columns(axis, measure) {
    const place = axis ? store.data.axes.indexOf(axis) : -1;
    const names = axis ? axes.slots(store.data, axis.key) : [{ index: undefined, text: "all runs" }];
    return names.map(({ index, text }) => {
      const cells = data
        .shown()
        .filter((cell) => isNumber(measure.of(cell)) && (place < 0 || (cell.at[place] ?? null) === index));
      const sorted = cells.map(measure.of).sort((one, other) => one - other);
      return { name: text, cells, sorted, median: sorted.length ? quantile(sorted, 0.5) : null };
    });
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
      every: Math.ceil(count / MOST_POINTS),
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

  /** As many of a column's runs as can be told apart; figures and medians are of all. */
  const thinned = (cells, { every }) => cells.filter((_, index) => index % every === 0);

  function marks(found, scale, measure) {
    return found.flatMap(({ cells, median }, column) => [
      ...thinned(cells, scale).map((cell) => point(cell, column, scale, measure)),
      ...(median === null
        ? []
        : [
            icon.svg("line", {
              class: "median",
              x1: scale.x(column, 0.12),
              x2: scale.x(column, 0.88),
              y1: scale.y(median),
              y2: scale.y(median),
            }),
          ]),
    ]);
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
    const body = found.map((column) =>
      dom.make(
        "tr",
        {},
        dom.make("th", { scope: "row", dir: "auto" }, tile.clip(column.name, 200)),
        ...[column.cells.length, ...figures(column)].map((figure) => dom.make("td", {}, figure)),
      ),
    );
    return dom.make(
      "details",
      {},
      dom.make("summary", {}, `${measure.name} as a table`),
      dom.make(
        "div",
        { class: "scroller", tabindex: 0, role: "group", "aria-label": `${measure.name} as a table` },
        dom.make("table", {}, dom.make("thead", {}, dom.make("tr", {}, ...head)), dom.make("tbody", {}, ...body)),
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
    const telling = ["view", "x", "find", "groups", "starred", "unrejected", "data"];
    store.on((changed) => {
      if (telling.some((key) => changed.has(key))) render();
    });
    addEventListener("resize", () => {
      if (room() !== width) render();
    });
    render();
  }

  return { start };
})();
