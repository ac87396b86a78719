/** Decides where every run stands, in pixels, before anything is drawn: a matrix by two axes, or a list. */
const layout = (() => {
  const GAP = 14; // between cells
  const INNER = 6; // between runs that share a cell
  const MARGIN = 16;
  const PHONE = 640; // narrower than that is one column
  const TALLEST = 1.4; // height by width: portraits taller than that are shown smaller
  const MIXED = 1; // the same in a row where portraits stand beside landscapes
  const CAPTION = { matrix: 34, list: 66 };
  const HEAD = 190; // a row header's width

  /** The whole arrangement for a view `width` pixels wide. */
  function arrange(width) {
    const { x, y, size } = store.state;
    const phone = width < PHONE;
    const kind = phone || (!x && !y) ? "list" : "matrix";
    const frame = { kind, gap: GAP, margin: phone ? 12 : MARGIN, caption: CAPTION[kind] };
    frame.tile = phone ? width - 2 * frame.margin : size;
    const found = kind === "list" ? list(frame, width) : matrix(frame);
    return measure(found);
  }

  /** Say of a run whether it is in the tab shown, and not fixed away by a select. */
  function within() {
    const { tab, at, fixed } = store.state;
    const wanted = Object.entries(fixed).map(([key, index]) => [place(key), axes.slots(store.data, key)[index]?.index]);
    if (tab) wanted.push([place(tab), axes.slots(store.data, tab)[at]?.index]);
    return (cell) => wanted.every(([axis, index]) => (cell.at[axis] ?? null) === index);
  }

  const place = (key) => store.data.axes.findIndex((axis) => axis.key === key);

  function list(frame, width) {
    const across = Math.max(1, Math.floor((width - 2 * frame.margin + GAP) / (frame.tile + GAP)));
    const cells = data.shown().filter(within());
    const rows = [];
    for (let from = 0; from < cells.length; from += across) {
      rows.push({ text: null, slots: cells.slice(from, from + across).map((cell) => ({ cells: [cell], hidden: 0 })) });
    }
    return { ...frame, per: 1, head: 0, columns: Array.from({ length: across }, () => null), rows };
  }

  function matrix(frame) {
    const { x, y } = store.state;
    const [across, down] = [headings(x), headings(y)];
    const shown = data.shown();
    const rows = down.map(({ text, note }) => ({ text: y ? text : null, note, slots: across.map(() => ({ cells: [], hidden: 0 })) }));
    distribute(rows, [across, down], shown);
    const kept = prune(rows, across);
    const most = Math.max(1, ...kept.rows.map((row) => Math.max(...row.slots.map((slot) => slot.cells.length))));
    return { ...frame, per: most === 4 ? 2 : Math.min(most, 3), head: y ? HEAD : 0, columns: kept.columns, rows: kept.rows };
  }

  function headings(key) {
    return key ? axes.slots(store.data, key) : [{ index: undefined, text: null }];
  }

  function distribute(rows, [across, down], shown) {
    const { x, y } = store.state;
    const [column, row] = [lookup(x, across), lookup(y, down)];
    const passes = within();
    const visible = new Set(shown);
    for (const cell of shown) if (passes(cell)) rows[row(cell)].slots[column(cell)].cells.push(cell);
    for (const cell of store.data.cells) {
      if (!visible.has(cell) && passes(cell)) rows[row(cell)].slots[column(cell)].hidden += 1;
    }
  }

  function lookup(key, headed) {
    const axis = place(key);
    if (axis < 0) return () => 0;
    const positions = new Map(headed.map(({ index }, position) => [index, position]));
    return (cell) => positions.get(cell.at[axis] ?? null);
  }

  /** Leave out the rows and columns that have no run, or of which the filter shows none. */
  function prune(rows, columns) {
    const full = rows.filter((row) => row.slots.some((slot) => slot.cells.length));
    const used = columns.map((_, at) => full.some((row) => row.slots[at].cells.length));
    const kept = (list) => list.filter((_, at) => used[at]);
    return { rows: full.map((row) => ({ ...row, slots: kept(row.slots) })), columns: kept(columns) };
  }

  /** Add sizes, offsets, and each run's place for the arrow keys. */
  function measure(plan) {
    plan.slot = plan.per * plan.tile + (plan.per - 1) * INNER;
    plan.width = 2 * plan.margin + plan.head + plan.columns.length * (plan.slot + GAP) - GAP;
    plan.places = new Map();
    plan.lines = [];
    let top = plan.margin / 2;
    plan.rows.forEach((row, index) => {
      Object.assign(row, { index, top, key: identity(row) });
      const lines = Math.max(1, ...row.slots.map((slot) => Math.ceil(slot.cells.length / plan.per)));
      row.frame = Math.round(plan.tile * tallest(row));
      row.height = lines * (row.frame + plan.caption) + (lines - 1) * INNER;
      number(plan, row, lines);
      top += row.height + GAP;
    });
    plan.height = top + plan.margin;
    return plan;
  }

  /** All that a row shows, but what becomes of its runs: rows with the same may stay as they are. */
  function identity({ text, note, slots }) {
    const { x, y, tab } = store.state; // runs that share a cell are told apart by the other axes
    const held = slots.map(({ cells, hidden }) => cells.map((cell) => cell.id).join() || `${hidden} hidden`);
    return JSON.stringify([x, y, tab, text, note, ...held]);
  }

  function number(plan, row, lines) {
    const first = plan.lines.length;
    for (let line = 0; line < lines; line += 1) plan.lines.push([]);
    row.slots.forEach((slot, column) => slot.cells.forEach((cell, at) => {
      const [across, down] = [column * plan.per + (at % plan.per), first + Math.floor(at / plan.per)];
      plan.lines[down][across] = cell.id;
      plan.places.set(cell.id, { row: row.index, column, across, down });
    }));
  }

  function tallest(row) {
    const shapes = row.slots.flatMap((slot) => slot.cells.map(shape)).filter(Boolean);
    if (!shapes.length) return 9 / 16;
    return Math.min(Math.min(...shapes) < 1 ? Math.max(MIXED, Math.min(...shapes)) : TALLEST, Math.max(...shapes));
  }

  /** Height by width of what the run made; of what it is to make, as far as the config says. */
  function shape(cell) {
    const media = data.media(cell);
    if (media?.width && media?.height) return media.height / media.width;
    const size = cell.own?.["request.size"] ?? store.data.shared?.["request.size"];
    const [, wide, high] = /^(\d+)x(\d+)$/.exec(size ?? "") ?? [];
    return wide ? high / wide : null;
  }

  /** The left edge of a column. */
  const left = (plan, column) => plan.margin + plan.head + column * (plan.slot + GAP);

  return { arrange, left };
})();
