/** One cell before all else: its picture as large as can be, everything known of it, and what the reader thinks. */
const detail = (() => {
  const parts = { cell: null, shown: 0, video: null, text: "" };

  const dialog = () => document.getElementById("detail");

  /** Opens a cell. */
  const open = (id) => store.set({ open: id, focus: id });

  /** Closes it. */
  const close = () => store.set({ open: "" });

  /** The cell beside in the order of the filter and sorting. */
  function beside(step) {
    const cells = data.shown();
    const at = cells.findIndex((cell) => cell.id === parts.cell?.id);
    return at < 0 ? null : (cells[at + step] ?? null);
  }

  /** Goes to the next cell (1) or to the one before (-1). */
  function go(step) {
    const cell = beside(step);
    if (cell) open(cell.id);
  }

  /** Opens a cell's notes for writing. */
  function write(id) {
    if (store.state.open !== id) open(id);
    parts.notes.querySelector("textarea").focus();
  }

  function release() {
    if (parts.picture) zoom.detach(parts.picture);
    if (parts.video) transport.detach(parts.video);
    Object.assign(parts, { video: null, picture: null });
  }

  function take(cell, element) {
    if (element.matches("video")) {
      parts.video = element;
      transport.attach(cell, element);
    }
    if (element.matches("img, video")) {
      parts.picture = element;
      zoom.attach(element);
    }
    transport.only(parts.video ? [parts.video] : []);
  }

  /** Buttons for the further files of a cell that has several. */
  function choices(cell) {
    if (cell.media.length < 2) return null;
    return dom.make(
      "div",
      { class: "segments files", role: "group", "aria-label": "Files" },
      ...cell.media.map((media, index) =>
        dom.button(media.extra ? "◌" : `${index + 1}`, called(cell, index), () => file(index), {
          "aria-pressed": String(index === parts.shown),
        }),
      ),
    );
  }

  /** What a file of a run is called: those that were asked for are counted, sketches and previews are named. */
  function called({ media }, index) {
    const asked = media.filter(({ extra }) => !extra).length;
    return index < asked ? `File ${index + 1} of ${asked}` : media[index].name;
  }

  /** Shows another file of the open cell, counted from 0; nothing where it has no such file. */
  function file(index) {
    const { cell } = parts;
    if (cell.media.length < 2 || !cell.media[index]) return;
    show(cell, index);
    parts.stage.querySelectorAll(".files button")[index].focus();
    const one = files.of(cell)[index]; // sketches and previews have no tile
    if (one) store.set({ open: one.id, focus: one.id });
  }

  function stage(cell) {
    release();
    const media = cell.media[parts.shown] ?? null;
    const element = picture.make(cell, media);
    parts.stage.replaceChildren(
      dom.make("div", { class: "detail-frame" }, element),
      ...[choices(cell)].filter(Boolean),
    );
    take(cell, element);
  }

  function header(cell) {
    const move = (step, name, label, key) =>
      icon.button(name, label, () => go(step), { disabled: !beside(step), "aria-keyshortcuts": key });
    parts.header.replaceChildren(
      dom.make(
        "span",
        { class: "badge", "data-group": cell.group, "aria-hidden": "true" },
        tile.SIGNS[cell.group] ?? "•",
      ),
      dom.make("h2", { dir: "auto", id: "detail-title" }, `Run ${cell.number}`, dom.make("small", {}, cell.label)),
      move(-1, "left", "Previous run", "ArrowLeft"),
      move(1, "right", "Next run", "ArrowRight"),
      icon.button("close", "Close", close, { "aria-keyshortcuts": "Escape" }),
    );
  }

  /** The name of the file on the stage: what is judged of the open run. */
  const judged = () => parts.cell.media[parts.shown]?.name ?? ratings.file(parts.cell);

  function judgement(cell) {
    const file = judged();
    const mark = (what, label) => {
      const button = dom.make("button", {
        type: "button",
        class: "mark",
        "data-mark": what,
        onclick: () => ratings.toggle(cell, judged(), what),
      });
      button.append(icon.draw(what), label);
      return button;
    };
    const area = dom.make("textarea", {
      rows: 3,
      dir: "auto",
      placeholder: "What do you see?",
      maxlength: 20000,
      id: "detail-notes",
    });
    area.value = ratings.get(cell, file).note;
    area.addEventListener("input", () => ratings.change(cell, judged(), { note: area.value }));
    parts.notes.replaceChildren(
      dom.make("div", { class: "marks" }, mark("star", "Star"), mark("reject", "Reject")),
      grading.make(() => ({ cell: parts.cell, file: judged() })),
      dom.make("label", { for: "detail-notes" }, "Notes"),
      area,
    );
    marks();
  }

  function marks() {
    if (!parts.cell) return;
    const own = ratings.get(parts.cell, judged());
    for (const button of parts.notes.querySelectorAll("[data-mark]"))
      button.setAttribute("aria-pressed", String(own[button.dataset.mark]));
    const area = parts.notes.querySelector("textarea");
    if (area.value !== own.note && document.activeElement !== area) area.value = own.note;
  }

  function known(cell) {
    parts.text = JSON.stringify(cell);
    parts.facts.replaceChildren(
      facts.prompt(cell),
      facts.outcome(cell),
      ...cell.media.map(facts.file),
      facts.again(cell),
      facts.origin(cell),
      facts.config(cell),
    );
  }

  function frame() {
    if (parts.stage) return;
    parts.header = dom.make("header");
    parts.stage = dom.make("div", { class: "detail-stage" });
    parts.notes = dom.make("section", { class: "judgement" });
    parts.facts = dom.make("div", { class: "detail-facts" });
    parts.side = dom.make("div", { class: "detail-side", tabindex: -1 }, parts.notes, parts.facts);
    dom.set(dialog(), { "aria-labelledby": "detail-title", "aria-label": null, tabindex: -1 });
    dialog().append(parts.header, dom.make("div", { class: "detail-body" }, parts.stage, parts.side));
  }

  function show(cell, index = 0) {
    frame();
    if (parts.cell === cell && dialog().open) return another(index);
    const pressed = parts.header.contains(document.activeElement)
      ? document.activeElement.getAttribute("aria-label")
      : null;
    parts.cell = cell;
    parts.shown = index;
    header(cell);
    judgement(cell);
    known(cell);
    parts.side.scrollTop = 0;
    const wasOpen = dialog().open;
    if (!wasOpen) dialog().showModal();
    dock.lend(dialog());
    stage(cell);
    if (!wasOpen || pressed) (button(pressed) ?? dialog()).focus();
  }

  /** Shows another file of the same run. */
  function another(index) {
    if (parts.shown === index) return;
    parts.shown = index;
    stage(parts.cell);
    marks();
  }

  /** Whoever walks from run to run by the header's buttons stays on them. */
  const button = (label) =>
    [...parts.header.querySelectorAll("button:enabled")].find((one) => one.getAttribute("aria-label") === label);

  /** What the stage shows: a file, or the words in its place. */
  function staged(cell) {
    const media = cell.media[parts.shown];
    return JSON.stringify(media ? [media.path, media.sha256] : [cell.status, cell.reason, cell.hint]);
  }

  /** A newer state of the same cell: what plays, what is being written and what was unfolded stay. */
  function refresh() {
    const cell = files.run(store.cell(store.state.open));
    if (!cell || !parts.cell || JSON.stringify(cell) === parts.text) return;
    const same = staged(cell) === staged(parts.cell);
    parts.cell = cell;
    header(cell);
    keeping(() => known(cell));
    if (!same) stage(cell);
  }

  /** Makes the facts anew with the same lists unfolded, and the focus where it was. */
  function keeping(make) {
    const lists = () => [...parts.facts.querySelectorAll("details")];
    const title = (list) => list.querySelector("summary").textContent;
    const opened = new Set(lists().filter((list) => list.open).map(title));
    const label = (one) => one.getAttribute("aria-label") ?? one.textContent;
    const focused = parts.facts.contains(document.activeElement) ? label(document.activeElement) : null;
    make();
    for (const list of lists()) list.open = opened.has(title(list));
    const again = [...parts.facts.querySelectorAll("button, summary, a")].find((one) => label(one) === focused);
    again?.focus({ preventScroll: true });
  }

  function hide() {
    if (!parts.cell) return;
    const { id } = files.of(parts.cell)[parts.shown] ?? parts.cell;
    release();
    parts.cell = null;
    dock.lend(null);
    parts.stage.replaceChildren();
    dialog().close();
    transport.only(null);
    if (store.state.view === "grid") grid.focus(id);
  }

  function render() {
    const one = store.cell(store.state.open);
    if (one) show(files.run(one), one.file);
    else hide();
  }

  /** Opens what the address says. */
  function start() {
    // The event comes late: by then the next run may be open.
    dialog().addEventListener("close", () => {
      if (store.state.open && !dialog().open) close();
    });
    store.on((changed) => {
      if (changed.has("open")) render();
      else if (changed.has("data")) refresh();
    });
    ratings.on(marks);
    if (store.state.open) render();
  }

  return { start, open, close, go, file, judged, write };
})();
