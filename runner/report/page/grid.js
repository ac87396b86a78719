/** Draws the runs that are in or near view, and nothing else, whatever their number. */
const grid = (() => {
  const RELAYOUT = ["x", "y", "tab", "at", "fixed", "find", "groups", "starred", "unrejected", "judged", "sort", "size", "data", "view"];
  const rows = new Map(); // index → {row, element, slots: Map(column → {element, tiles})}
  let root, header, canvas, plan;
  let onPaper = false;
  const TOUCH = matchMedia("(hover: none)");
  let due = 0;

  function start() {
    root = document.getElementById("grid");
    header = dom.make("div", { class: "headings", role: "row", "aria-rowindex": 1 });
    canvas = dom.make("div", { class: "canvas", role: "rowgroup" });
    root.append(header, canvas);
    root.addEventListener("scroll", later, { passive: true });
    new ResizeObserver(resized).observe(root);
    for (const name of ["beforeprint", "afterprint"]) addEventListener(name, () => print(name === "beforeprint"));
    store.on((changed) => (RELAYOUT.some((key) => changed.has(key)) ? relayout(changed) : marks()));
    ratings.on(() => (judged.isOn() ? sift() : marks()));
    relayout();
  }

  /** What was judged may not pass the filter any more: the focus goes on to the run beside. */
  function sift() {
    const id = store.state.focus;
    const [next, had] = [neighbour(id, 1, 0) ?? neighbour(id, 0, 1) ?? neighbour(id, -1, 0), root.contains(document.activeElement)];
    relayout();
    if (had && plan && !plan.places.has(id) && next) focus(next);
  }

  function resized() {
    relayout();
    toolbar.show();
  }

  /** Draw all runs for paper, as many as it takes, and after that what is near again. */
  function print(wanted) {
    onPaper = wanted;
    if (root.hidden) return;
    paint();
    for (const image of onPaper ? root.querySelectorAll("img") : []) image.loading = "eager";
  }

  const tiles = function* () {
    for (const { slots } of rows.values()) for (const slot of slots.values()) yield* slot.tiles;
  };

  function marks() {
    let reachable = false;
    for (const made of tiles()) {
      tile.mark(made);
      reachable ||= made.cell.id === store.state.focus;
    }
    const [first] = tiles();
    if (!reachable && first) tile.reach(first, true);
  }

  /** Arrange everything anew; rows that say the same of the same runs at the same size stay. */
  function relayout(changed = new Set()) {
    root.hidden = store.state.view !== "grid";
    if (root.hidden || !root.clientWidth) return;
    const anchor = plan && ["x", "y", "tab", "at"].every((key) => !changed.has(key)) ? middle() : null;
    const before = plan;
    plan = layout.arrange(root.clientWidth, root.clientHeight, TOUCH.matches);
    const shape = (one) => [one.kind, one.per, one.columns.length].join();
    const keep = before && shape(before) === shape(plan);
    for (const [index, drawn] of rows) {
      const row = plan.rows[index];
      if (!keep || row?.key !== drawn.row.key) unmount(index);
      else adopt(drawn, row);
    }
    dress();
    if (anchor) root.scrollTop = restored(anchor);
    else if (before && changed.size) root.scrollTo(0, 0);
    paint();
  }

  /** What the reader looks at: the first row in view, and how far it is scrolled. */
  function middle() {
    const row = plan.rows[first(root.scrollTop)];
    const id = row?.slots.flatMap((slot) => slot.cells)[0]?.id;
    return id && root.scrollTop > 0 ? { id, part: (root.scrollTop - row.top) / row.height } : null;
  }

  function restored({ id, part }) {
    const row = plan.rows[plan.places.get(id)?.row];
    return row ? row.top + part * row.height : root.scrollTop;
  }

  function adopt(drawn, row) {
    drawn.row = row;
    locate(drawn.element, row);
    for (const [column, { element, tiles: kept }] of drawn.slots) {
      const { cells } = row.slots[column];
      element.style.left = `${layout.left(plan, column)}px`;
      kept.forEach((made, at) => tile.update(made, cells[at], cells));
    }
  }

  /** Sizes, headings and what screen readers count. */
  function dress() {
    root.dataset.kind = plan.kind;
    root.classList.toggle("small", plan.caption > 34 && plan.tile < 200);
    root.style.setProperty("--tile", `${plan.tile}px`);
    root.style.setProperty("--slot", `${plan.slot}px`);
    root.style.setProperty("--caption", `${plan.caption}px`);
    root.style.setProperty("--side", `${plan.head}px`);
    root.style.setProperty("--margin", `${plan.margin}px`);
    canvas.style.height = `${plan.height}px`;
    canvas.style.width = header.style.width = `${Math.max(plan.width, 0)}px`;
    const headed = plan.kind === "matrix" && Boolean(store.state.x || store.state.y);
    root.setAttribute("aria-rowcount", plan.rows.length + (headed ? 1 : 0));
    root.setAttribute("aria-colcount", plan.columns.length + (plan.head ? 1 : 0));
    header.hidden = !headed;
    header.replaceChildren(...(headed ? headings() : []));
    document.getElementById("nothing")?.remove();
    if (!plan.rows.length) canvas.append(nothing());
  }

  function headings() {
    const [down, across] = [store.state.y, store.state.x].map(data.axis);
    const names = [down, across].map((axis) => axis && axes.title(axis));
    const texts = shorten.apart(plan.columns.map(({ text }) => text ?? ""), Math.floor(plan.slot / 4)); // in two lines
    const corner = dom.make("div", { class: "corner", role: "columnheader", "aria-colindex": 1 },
      names[1] ? dom.make("span", { class: "corner-x" }, `${names[1]} →`) : null, names[0] ? dom.make("span", {}, `${names[0]} ↓`) : null);
    const columns = plan.columns.map((value, column) => {
      const place = { role: "columnheader", "aria-colindex": column + (plan.head ? 2 : 1) };
      const element = dom.make("div", { class: "heading", dir: "auto", title: tile.clip(axes.line(value), 500), ...place },
        dom.make("span", {}, ...named({ ...value, text: plan.head ? texts[column] : axes.named(across, texts[column]) }, 200)));
      element.style.left = `${layout.left(plan, column)}px`;
      return element;
    });
    return plan.head ? [corner, ...columns] : columns;
  }

  /** A value as it stands in a heading, with the prompt that it stands for after it. */
  const named = ({ text, note }, length) =>
    [tile.clip(text, length), note ? dom.make("small", { dir: "auto" }, tile.clip(note, length)) : null];

  /** What stands where no run does, with a way to where some are. */
  function nothing() {
    const { all, fixed, elsewhere } = part.account();
    const said = (text, label, onclick) =>
      dom.make("div", { id: "nothing" }, dom.make("p", {}, text), label ? dom.button(label, label, onclick, { class: "primary" }) : null);
    if (!all) return said("There is no run yet.");
    if (elsewhere) return said("None of these runs is in this tab.", "Go to the next tab with a run", part.toNextTab);
    if (fixed) return said("None of these runs has the value that is fixed.", "Show all values", () => store.set({ fixed: {} }));
    return said("No run passes the filter.", "Show all runs", () => toolbar.clear());
  }

  function later() {
    due ||= requestAnimationFrame(() => { due = 0; paint(); });
  }

  /** The index of the row at a height. */
  function first(y) {
    let [low, high] = [0, plan.rows.length - 1];
    while (low < high) {
      const half = (low + high) >> 1;
      if (plan.rows[half].top + plan.rows[half].height < y) low = half + 1;
      else high = half;
    }
    return low;
  }

  /** Mount what is in or near view, unmount the rest; what has the focus stays. */
  function paint() {
    const near = onPaper ? Infinity : Math.max(200, root.clientHeight / 2);
    const [top, bottom] = [root.scrollTop - near, root.scrollTop + root.clientHeight + near];
    const [left, right] = [root.scrollLeft - near, root.scrollLeft + root.clientWidth + near];
    const seen = new Set();
    for (let index = first(top); index < plan.rows.length && plan.rows[index].top < bottom; index += 1) seen.add(index);
    for (const index of [...rows.keys()]) if (!seen.has(index) && !held(rows.get(index).element)) unmount(index);
    for (const index of seen) draw(index, left, right);
    marks();
  }

  const held = (element) => element.contains(document.activeElement);

  function locate(element, row) {
    element.style.top = `${row.top}px`;
    element.style.height = `${row.height}px`;
    element.style.setProperty("--frame", `${row.frame}px`);
    element.setAttribute("aria-rowindex", row.index + (header.hidden ? 1 : 2));
  }

  function draw(index, left, right) {
    const drawn = rows.get(index) ?? mount(plan.rows[index]);
    plan.columns.forEach((_, column) => {
      const edge = layout.left(plan, column);
      const near = edge + plan.slot > left && edge < right;
      const slot = drawn.slots.get(column);
      if (near && !slot && drawn.row.slots[column]) fill(drawn, column);
      else if (!near && slot && !held(slot.element)) empty(drawn, column);
    });
  }

  function mount(row) {
    const element = dom.make("div", { class: "row", role: "row" });
    locate(element, row);
    if (row.text !== null) {
      const title = dom.make("span", { dir: "auto", title: tile.clip(axes.line(row), 1000) }, ...named(row, 600));
      element.append(dom.make("div", { class: "rowhead", role: "rowheader", "aria-colindex": 1 }, title));
    }
    const drawn = { row, element, slots: new Map() };
    rows.set(row.index, drawn);
    canvas.append(element);
    return drawn;
  }

  function fill(drawn, column) {
    const { cells, hidden } = drawn.row.slots[column];
    const element = dom.make("div", { class: "slot", role: "gridcell", "aria-colindex": column + (plan.head ? 2 : 1) });
    element.style.left = `${layout.left(plan, column)}px`;
    const made = cells.map((cell) => tile.make(cell, cells));
    element.append(...made.map((one) => one.element));
    if (!cells.length) element.append(dom.make("p", { class: "vacant" }, hidden ? `${hidden} filtered` : "no run"));
    drawn.slots.set(column, { element, tiles: made });
    drawn.element.append(element);
  }

  function empty(drawn, column) {
    const slot = drawn.slots.get(column);
    slot.tiles.forEach(tile.release);
    slot.element.remove();
    drawn.slots.delete(column);
  }

  function unmount(index) {
    const drawn = rows.get(index);
    for (const column of [...drawn.slots.keys()]) empty(drawn, column);
    drawn.element.remove();
    rows.delete(index);
  }

  /** Scroll to a run and give it the focus. */
  function focus(id) {
    const at = plan?.places.get(id);
    if (!at) return;
    store.set({ focus: id });
    reveal(at);
    paint();
    for (const made of tiles()) if (made.cell.id === id) made.element.focus({ preventScroll: true });
  }

  function reveal({ row: index, column }) {
    const row = plan.rows[index];
    const shade = header.hidden ? 0 : header.offsetHeight;
    const left = layout.left(plan, column);
    if (row.top < root.scrollTop) root.scrollTop = row.top - plan.gap / 2;
    else if (row.top + row.height + shade > root.scrollTop + root.clientHeight) {
      root.scrollTop = Math.min(row.top - plan.gap / 2, row.top + row.height + shade - root.clientHeight + plan.gap);
    }
    if (left - plan.head < root.scrollLeft + plan.margin) root.scrollLeft = left - plan.head - plan.margin;
    else if (left + plan.slot > root.scrollLeft + root.clientWidth) root.scrollLeft = left + plan.slot + plan.gap - root.clientWidth;
  }

  /** The run beside another in a direction, or null at the edge; up and down go to the nearest of the next line. */
  function neighbour(id, dx, dy) {
    const at = plan?.places.get(id);
    if (!at) return plan?.lines.flat().find(Boolean) ?? null;
    if (dx) return beside(plan.lines[at.down], at.across, dx);
    for (let line = at.down + dy; plan.lines[line]; line += dy) {
      const found = nearest(plan.lines[line], at.across);
      if (found) return found;
    }
    return null;
  }

  function beside(line, from, step) {
    for (let at = from + step; at >= 0 && at < line.length; at += step) if (line[at]) return line[at];
    return null;
  }

  function nearest(line, wanted) {
    const taken = Object.keys(line).map(Number);
    const distance = (at) => Math.abs(at - wanted);
    return taken.length ? line[taken.reduce((best, at) => (distance(at) < distance(best) ? at : best))] : null;
  }

  return { start, mounted: tiles, focus, neighbour, get kind() { return plan?.kind ?? "list"; }, get tile() { return plan?.tile ?? 0; } };
})();
