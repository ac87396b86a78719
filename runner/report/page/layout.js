/** Decides where every run stands, in pixels, before anything is drawn: a matrix by two axes, or a list. */
const layout = (() => {
  const GAP = 14; // between cells
  const INNER = 6; // between runs that share a cell
  const MARGIN = 16;
  const PHONE = 640; // narrower than that is one column
  const TALLEST = 1.4; // height by width: portraits taller than that are shown smaller
  const MIXED = 1; // the same in a row where portraits stand beside landscapes
  const CAPTION = { matrix: 34, list: 66 };
  const LINE = 22; // of a caption, below its first one
  const HEADINGS = 34;
  const HEAD = 190; // a row header's least width
  const WIDEST_HEAD = 420;
  const LEAST = 180; // a tile narrower than that is no picture any more: then the grid is wider than the window
  const SMALL = 200; // a tile below that has no room for all of its caption in one line
  const LISTED = 280; // the width of tiles in a list that fills more than the window, at least
  const SEVERAL = 2.2; // so many rows are seen at once, where there are more

  /** The whole arrangement for a view of `width` × `height` pixels; `touch` devices have no pointer to hover with. */
  function arrange(width, height, touch) {
    const { x, y } = store.state;
    const phone = width < PHONE;
    const kind = phone || (!x && !y) ? "list" : "matrix";
    const view = { width, height, phone, touch };
    const frame = { kind, gap: GAP, margin: phone ? 12 : MARGIN };
    return measure(kind === "list" ? list(frame, view) : matrix(frame, view));
  }

  /** The height of what stands below a picture `tile` pixels wide. */
  function caption(kind, tile, touch) {
    if (kind === "list") return CAPTION.list;
    return CAPTION.matrix + (touch || tile < SMALL ? LINE : 0) + (touch && tile < SMALL ? LINE : 0);
  }

  function list(frame, view) {
    const cells = part.seen().flatMap(files.seen);
    const { across, tile } = listed(cells, view.width - 2 * frame.margin, view);
    const rows = [];
    for (let from = 0; from < cells.length; from += across) {
      rows.push({ text: null, slots: cells.slice(from, from + across).map((cell) => ({ cells: [cell], hidden: 0 })) });
    }
    const columns = Array.from({ length: across }, () => null);
    const margin = Math.max(frame.margin, Math.floor((view.width - across * (tile + GAP) + GAP) / 2));
    return { ...frame, margin: store.state.size ? frame.margin : margin, tile, caption: CAPTION.list, per: 1, head: 0, columns, rows };
  }

  /** How many runs stand beside each other, and how wide: as large as all fit the view, but no smaller than `LISTED`. */
  function listed(cells, room, { height, phone }) {
    const { size } = store.state;
    if (phone) return { across: 1, tile: room };
    const wide = (across) => Math.floor((room + GAP) / across) - GAP;
    const beside = (tile) => Math.max(1, Math.floor((room + GAP) / (tile + GAP)));
    if (size) return { across: beside(size), tile: size };
    const [most, ratio] = [beside(LISTED), tallest(cells)];
    const high = (across) => Math.floor(((height - 2 * MARGIN) / Math.ceil(cells.length / across) - CAPTION.list - GAP) / ratio);
    let best = { across: most, tile: wide(most) };
    for (let across = Math.min(most, Math.max(1, cells.length)); across >= 1; across -= 1) {
      const tile = Math.min(wide(across), high(across));
      if (tile >= LISTED && (tile > best.tile || high(best.across) < best.tile)) best = { across, tile };
    }
    return best;
  }

  function matrix(frame, view) {
    const { x, y, sort } = store.state;
    const [across, down] = [headings(x), headings(y)];
    const shown = data.shown();
    const rows = down.map(({ text, note }) => ({ text: y ? text : null, note, slots: across.map(() => ({ cells: [], hidden: 0 })) }));
    distribute(rows, [across, down], shown);
    const kept = prune(rows, across);
    if (sort !== "number") kept.rows = sorted(kept.rows);
    const most = Math.max(1, ...kept.rows.map((row) => Math.max(...row.slots.map((slot) => slot.cells.length))));
    const head = y ? HEAD : 0;
    const found = { ...frame, per: abreast(most, kept.columns.length, view.width - head), head, columns: kept.columns, rows: kept.rows };
    return fitted(found, Math.ceil(most / found.per), view);
  }

  /** How many runs of one cell stand beside each other: three at most, and no more than have room. */
  function abreast(most, columns, width) {
    let per = most === 4 ? 2 : Math.min(most, 3);
    while (per > 1 && width / columns / per < SMALL) per -= 1;
    return per;
  }

  /** The rows by their first run in the order chosen. */
  function sorted(rows) {
    const best = (row) => Math.min(...row.slots.flatMap((slot) => slot.cells.map(data.rank)));
    return rows.map((row) => [best(row), row]).sort(([one], [other]) => (one === other ? 0 : one - other)).map(([, row]) => row);
  }

  /**
   * Add the size of tiles: as wide as the window lets them, but no higher than that a row is seen whole. Where several
   * rows are, they are lower, as far as the heads of the rows can take the width.
   */
  function fitted(plan, lines, { width, height, touch }) {
    const { size } = store.state;
    const count = Math.max(1, plan.columns.length * plan.per);
    const room = width - 2 * plan.margin - plan.head - plan.columns.length * (GAP + (plan.per - 1) * INNER) + GAP;
    const wide = Math.floor(room / count);
    const spare = plan.head ? WIDEST_HEAD - plan.head : 0;
    const high = (rows) => highest(plan, lines, (height - HEADINGS - GAP) / rows, touch);
    const several = Math.max(high(Math.min(plan.rows.length, SEVERAL)), wide - Math.floor(spare / count));
    const tile = size || Math.max(LEAST, Math.min(wide, high(1), several));
    const free = size ? 0 : Math.max(0, (wide - tile) * count);
    return { ...plan, tile, caption: caption(plan.kind, tile, touch), head: plan.head && plan.head + Math.min(spare, free) };
  }

  /** How wide a tile may be for its row, of so many lines, to be no higher than `height`. */
  function highest(plan, lines, height, touch) {
    const frame = height / lines - caption(plan.kind, SMALL, touch) - GAP;
    return Math.floor(frame / tallest(plan.rows.flatMap((row) => row.slots.flatMap((slot) => slot.cells))));
  }

  function headings(key) {
    return key ? axes.slots(store.data, key) : [{ index: undefined, text: null }];
  }

  function distribute(rows, [across, down], shown) {
    const { x, y } = store.state;
    const [column, row] = [lookup(x, across), lookup(y, down)];
    const passes = part.within();
    const visible = new Set(shown);
    for (const cell of shown) if (passes(cell)) rows[row(cell)].slots[column(cell)].cells.push(...files.seen(cell));
    for (const cell of store.data.cells) {
      if (!visible.has(cell) && passes(cell)) rows[row(cell)].slots[column(cell)].hidden += 1;
    }
  }

  function lookup(key, headed) {
    const axis = store.data.axes.findIndex((one) => one.key === key);
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
    let top = MARGIN / 2;
    plan.rows.forEach((row, index) => {
      Object.assign(row, { index, top, key: identity(row) });
      const lines = Math.max(1, ...row.slots.map((slot) => Math.ceil(slot.cells.length / plan.per)));
      row.frame = Math.round(plan.tile * tallest(row.slots.flatMap((slot) => slot.cells)));
      row.height = lines * (row.frame + plan.caption) + (lines - 1) * INNER;
      number(plan, row, lines);
      top += row.height + GAP;
    });
    plan.height = top + MARGIN / 2;
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

  /** Height by width of the frames for some runs. */
  function tallest(cells) {
    let [least, most] = [Infinity, 0];
    for (const found of cells.map(shape)) {
      if (!found) continue;
      least = Math.min(least, found);
      most = Math.max(most, found);
    }
    if (!most) return 9 / 16;
    return Math.min(least < 1 ? Math.max(MIXED, least) : TALLEST, most);
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
