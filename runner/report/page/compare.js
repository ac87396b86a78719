/**
 * Two to four cells before all else: side by side by one clock and one zoom, one wiped over the other, or what
 * differs between them in words.
 */
const compare = (() => {
  const MOST = 4;
  const parts = { videos: [], zoomed: [], text: "", side: 0 };

  const overlay = () => document.getElementById("overlay");
  const chosen = () => store.state.compare.map((id) => files.of(files.run(store.cell(id))).find((one) => one.id === id));
  const sides = () => (store.state.compare.length > 2 ? "compare4" : "compare2");

  /** Takes a cell into the comparison or out of it. */
  function toggle(id) {
    const ids = store.state.compare;
    if (ids.includes(id)) store.set({ compare: ids.filter((other) => other !== id) });
    else if (ids.length >= MOST) dom.say("Four runs at most are compared: take one out first.");
    else store.set({ compare: [...ids, id] });
  }

  /** Opens the comparison of what was chosen. */
  function open(mode = sides()) {
    if (store.state.compare.length < 2) dom.say("Choose two to four runs to compare.");
    else store.set({ mode });
  }

  /** Closes it; what was chosen stays chosen. */
  const close = () => store.set({ mode: "" });

  /** What tells a cell from the others that are compared, by the parameters in which they differ. */
  function apart(cell) {
    const cells = chosen();
    const differing = axes.varying(store.data).filter((axis) => !axis.of && new Set(cells.map(axes.reader(store.data, axis.key))).size > 1);
    const texts = differing.map((axis) => {
      const all = shorten.apart(cells.map((one) => data.value(one, axis.key)), 60);
      return axes.named(axis, all[cells.findIndex((one) => one.id === cell.id)]);
    });
    return texts.join(" · ") || tile.clip(cell.label || cell.prompt, 200);
  }

  /** The cells that a side can show: all that pass the filter, in the order chosen, but those on the other sides. */
  function candidates(side) {
    const [own, ...rest] = [store.state.compare[side], ...store.state.compare.filter((_, at) => at !== side)];
    return data.shown().flatMap(files.seen).map((one) => one.id).filter((id) => id === own || !rest.includes(id));
  }

  /** The next candidate (1) for a side, or the one before (-1); null at the end. */
  function beside(side, step) {
    const all = candidates(side);
    const at = all.indexOf(store.state.compare[side]);
    return (at < 0 ? all[0] : all[at + step]) ?? null;
  }

  /** Shows another candidate on the side that keys act on, or on the one told. */
  function step(by, side = parts.side) {
    const id = beside(side, by);
    if (!id) return dom.say("There is no other run on this way.");
    parts.side = side;
    store.set({ compare: store.state.compare.map((old, at) => (at === side ? id : old)) });
  }

  /** How many sides are seen. */
  const count = () => (store.state.mode === "compare4" ? chosen().length : Math.min(2, chosen().length));

  /** Lets keys act on another side. */
  function choose(side) {
    parts.side = Math.min(Math.max(0, side), count() - 1);
    marks();
    dom.say(`Keys act on ${letter(parts.side)}`);
  }

  const turn = (by) => choose((parts.side + by + count()) % count());

  /** Stars or rejects the cell of a side. */
  function judge(what, side = parts.side) {
    const cell = chosen()[side];
    ratings.toggle(files.run(cell), ratings.file(cell), what);
  }

  /** The cell of the side that keys act on; null while nothing is compared. */
  const current = () => (overlay().open ? chosen()[Math.min(parts.side, count() - 1)] : null);

  /** Shows what the reader thinks of each side, and which one keys act on. */
  function marks() {
    const cells = chosen();
    for (const caption of overlay().querySelectorAll("figcaption")) {
      const side = Number(caption.dataset.side);
      const own = files.mine(cells[side]);
      caption.classList.toggle("acting", side === parts.side);
      caption.querySelector(".verdict").textContent = grading.told(own);
      for (const button of caption.querySelectorAll("[data-mark]")) button.setAttribute("aria-pressed", String(own[button.dataset.mark]));
      for (const button of caption.querySelectorAll("[data-rate]"))
        button.setAttribute("aria-pressed", String(own.rating === Number(button.dataset.rate)));
    }
  }

  function actions(index) {
    const name = letter(index);
    const move = (by, icon_, words) =>
      icon.button(icon_, `${words} candidate for ${name}`, () => step(by, index), { "data-hold": `${icon_} ${index}`, disabled: !beside(index, by) });
    const mark = (what, words) =>
      icon.button(what, `${words} ${name}`, () => judge(what, index), { "data-hold": `${what} ${index}`, "data-mark": what });
    return dom.make("span", { class: "side-actions", role: "group", "aria-label": name },
      move(-1, "left", "Previous"), move(1, "right", "Next"), mark("star", "Star"), mark("reject", "Reject"));
  }

  function rates(index) {
    const rate = (number) => {
      const cell = chosen()[index];
      grading.rate(files.run(cell), ratings.file(cell), number);
    };
    const one = (number) =>
      dom.button(String(number), `Rate ${letter(index)} ${number} of 5`, () => rate(number), { "data-hold": `rate ${index} ${number}`, "data-rate": number });
    return dom.make("span", { class: "segments side-rates", role: "group", "aria-label": `Rating of ${letter(index)}` }, ...[1, 2, 3, 4, 5].map(one));
  }

  const letter = (index) => "ABCD"[index];

  /** A cell's picture by its first file, or why there is none. */
  function shown(cell) {
    const element = picture.make(cell, data.media(cell));
    if (element.matches("video")) parts.videos.push({ cell, video: element });
    return element;
  }

  function caption(cell, index) {
    return dom.make(
      "figcaption",
      { "data-side": index, onclick: () => choose(index) },
      dom.make("span", { class: "letter", "aria-hidden": "true" }, letter(index)),
      dom.make("span", { class: "what", dir: "auto" }, `${tile.name(cell)}  ${apart(cell)}`),
      dom.make("span", { class: "facts" }, `${data.usd(data.cost(cell))} · ${data.seconds(cell.latency_seconds)}`),
      dom.make("span", { class: "verdict" }),
      dom.make("span", { class: "side-tools" }, rates(index), actions(index)),
    );
  }

  function figure(cell, index) {
    return dom.make(
      "figure",
      { "data-id": cell.id },
      dom.make("div", { class: "compare-frame" }, shown(cell)),
      caption(cell, index),
    );
  }

  function sideBySide(cells) {
    return dom.make("div", { class: "compare-sides", "data-count": cells.length }, ...cells.map(figure));
  }

  function wiped([first, second]) {
    return dom.make(
      "div",
      { class: "compare-wipe" },
      wipe.make(shown(first), shown(second)),
      dom.make("div", { class: "wipe-captions" }, caption(first, 0), caption(second, 1)),
    );
  }

  const VIEWS = {
    compare2: (cells) => sideBySide(cells.slice(0, 2)),
    compare4: sideBySide,
    wipe: wiped,
    words: difference.make,
  };

  function header(cells) {
    const mode = store.state.mode;
    const choice = (name, label) =>
      dom.button(label, label, () => store.set({ mode: name }), {
        "aria-pressed": String(name === mode),
        "data-mode": name,
        "data-hold": name,
      });
    const many = cells.length > 2;
    return [
      dom.make(
        "div",
        { class: "segments", role: "group", "aria-label": "How to compare" },
        choice("compare2", "Two side by side"),
        many ? choice("compare4", `All ${cells.length}`) : null,
        choice("wipe", "Wipe"),
        choice("words", "Words"),
      ),
      icon.button("close", "Close", close, { "aria-keyshortcuts": "Escape" }),
    ];
  }

  function release() {
    parts.zoomed.forEach(zoom.detach);
    for (const { video } of parts.videos) transport.detach(video);
    Object.assign(parts, { videos: [], zoomed: [] });
  }

  function take(body) {
    for (const { cell, video } of parts.videos) transport.attach(cell, video);
    parts.zoomed = [...body.querySelectorAll("img, video")];
    parts.zoomed.forEach(zoom.attach);
    transport.only(parts.videos.map(({ video }) => video));
  }

  function frame() {
    if (parts.body) return;
    parts.header = dom.make("header");
    parts.body = dom.make("div", { class: "compare-body" });
    dom.set(overlay(), { tabindex: -1 }).append(parts.header, parts.body);
  }

  /** What is seen of the chosen cells: their files, or the words in their place. */
  function seen() {
    const shown = (cell) => [cell.id, cell.status, cell.reason, ...cell.media.slice(0, 1).map((media) => media.path)];
    return JSON.stringify(chosen().map(shown));
  }

  function render() {
    const cells = chosen();
    const view = VIEWS[store.state.mode];
    if (!view || cells.length < 2) return leave();
    release();
    parts.text = seen();
    const focused = document.activeElement?.dataset.hold;
    const body = view(cells);
    frame();
    parts.header.replaceChildren(...header(cells));
    parts.body.replaceChildren(body);
    const wasOpen = overlay().open;
    if (!wasOpen) {
      parts.opener = document.activeElement;
      overlay().showModal();
    }
    overlay().dataset.showing = store.state.mode;
    dock.lend(overlay());
    take(body);
    const isLost = !overlay().contains(document.activeElement);
    if (!wasOpen || focused || isLost) (overlay().querySelector(`button[data-hold="${focused}"]:enabled`) ?? overlay()).focus();
    parts.side = Math.min(parts.side, count() - 1);
    marks();
  }

  function leave() {
    if (!overlay().open && !parts.videos.length) return;
    release();
    dock.lend(null);
    parts.body.replaceChildren();
    overlay().close();
    transport.only(null);
    // The browser's own way back fails where the opener stood in the bar, which was in the dialog itself.
    parts.opener?.focus({ preventScroll: true });
  }

  function tray() {
    parts.count = dom.make("span", { class: "count" });
    parts.open = dom.button("Compare", "Compare the chosen runs", () => open(), { class: "primary" });
    parts.tray = dom.make(
      "div",
      { class: "dock-group dock-compare", role: "group", "aria-label": "Comparison", hidden: true },
      parts.count,
      parts.open,
      dom.button("Clear", "Choose none", () => store.set({ compare: [] })),
    );
    dock.add(parts.tray, 3);
  }

  function showTray() {
    const count = store.state.compare.length;
    parts.tray.hidden = count === 0;
    parts.count.textContent = `${count} chosen`;
    parts.open.disabled = count < 2;
  }

  /** Builds the tray, and opens what the address says. */
  function start() {
    tray();
    overlay().addEventListener("close", () => {
      if (store.state.mode && !overlay().open) close();
    });
    store.on((changed) => {
      if (changed.has("compare")) showTray();
      const isNew = changed.has("compare") || (changed.has("data") && seen() !== parts.text);
      if (changed.has("mode") || (isNew && store.state.mode)) render();
    });
    ratings.on(() => {
      if (overlay().open) marks();
    });
    showTray();
    if (store.state.mode) render();
  }

  return { start, toggle, open, close, step, turn, judge, current };
})();
