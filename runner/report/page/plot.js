/** How measures depend on a parameter, or on each other: for each run that is seen a point. */
const plot = (() => {
  const WIDEST = 720;
  let width = WIDEST;

  const container = () => document.getElementById("plot");
  const varying = () => axes.varying(store.data);

  /** What is drawn along the bottom: the measure or parameter chosen, else the axis across, else the first that varies. */
  function along() {
    const measure = measures.known().find(({ key }) => key === store.state.by);
    if (measure) return { measure };
    const keys = [store.state.by, store.state.x, varying()[0]?.key];
    return { axis: keys.map((key) => key && data.axis(key)).find(Boolean) ?? null };
  }

  /** The measures drawn: the one chosen, else latency and cost. */
  function drawn({ measure }) {
    const chosen = measures.find(store.state.of);
    const both = ["latency", "cost"].map(measures.find);
    return chosen ? [chosen] : both.filter((one) => one !== measure);
  }

  function select(id, text, value, groups, onchange) {
    const option = ([key, name]) => dom.make("option", { value: key, selected: key === value }, tile.clip(name, 60));
    const list = groups.filter(([, options]) => options.length).flatMap(([label, options]) =>
      (label ? [dom.make("optgroup", { label }, ...options.map(option))] : options.map(option)));
    const control = dom.make("select", { id, onchange: (event) => onchange(event.target.value) }, ...list);
    return [dom.make("label", { for: id }, text), control];
  }

  function bar({ axis, measure }) {
    const figures = measures.known().map(({ key, name }) => [key, name]);
    const parameters = varying().map((one) => [one.key, axes.title(one)]);
    return dom.make(
      "div",
      { class: "plot-bar" },
      ...select("plot-of", "Of", store.state.of, [[null, [["", "latency and cost"]]], [null, figures]], (of) => store.set({ of })),
      ...select("plot-axis", "By", measure?.key ?? axis?.key ?? "", [["parameter", parameters], ["measure", figures]], (by) => store.set({ by })),
      ...select("plot-hue", "Colours", hues.key(), hues.choices(), (hue) => store.set({ hue })),
      dom.make("span", { class: "muted" }, `a point a run${measure ? "" : ", a stroke at the median"}; click a point to open its run`),
    );
  }

  const room = (count) => Math.max(300, Math.min(count > 1 ? WIDEST : 2 * WIDEST, container().clientWidth - 66));
  const tables = () => [...container().querySelectorAll("details")];

  function render() {
    const shown = store.state.view === "plot";
    container().hidden = !shown;
    if (!shown) return;
    const chosen = along();
    const list = drawn(chosen);
    // Drawn as wide as it is shown, so that its texts keep their size.
    width = room(list.length);
    const opened = tables().map((table) => table.open);
    const focused = container().contains(document.activeElement) ? document.activeElement.id : "";
    const cells = part.seen();
    const { look, legend } = hues.of(cells);
    const figure = (one) => (chosen.measure ? scatter.figure(cells, chosen.measure, one, width, look) : strip.figure(cells, chosen.axis, one, width, look));
    container().replaceChildren(...[bar(chosen), legend, dom.make("div", { class: "plot-figures" }, ...list.map(figure))].filter(Boolean));
    tables().forEach((table, index) => {
      table.open = opened[index] ?? false;
    });
    if (focused) document.getElementById(focused)?.focus();
  }

  /** Draws whenever what is shown changes. */
  function start() {
    const telling = ["view", "x", "tab", "at", "fixed", "of", "by", "hue", "find", "groups", "starred", "unrejected", "judged",
      "data"];
    store.on((changed) => {
      if (telling.some((key) => changed.has(key))) render();
    });
    ratings.on(() => {
      if (judged.isOn()) render();
    });
    addEventListener("resize", () => {
      if (room(drawn(along()).length) !== width) render();
    });
    render();
  }

  return { start };
})();
