/**
 * Two to four cells before all else: side by side by one clock and one zoom, one wiped over the other, or what
 * differs between them in words.
 */
const compare = (() => {
  const MOST = 4;
  const parts = { videos: [], zoomed: [], text: "" };

  const overlay = () => document.getElementById("overlay");
  const chosen = () => store.state.compare.map((id) => store.cell(id)).filter(Boolean);
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
      {},
      dom.make("span", { class: "letter", "aria-hidden": "true" }, letter(index)),
      dom.make("span", { class: "what", dir: "auto" }, `#${cell.number}  ${tile.clip(cell.label || cell.prompt, 200)}`),
      dom.make("span", { class: "facts" }, `${data.usd(data.cost(cell))} · ${data.seconds(cell.latency_seconds)}`),
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

  /** One text as it differs from another, struck through and underlined for those who tell no colours apart. */
  function difference(one, other, tag = "p") {
    const tags = { same: "span", removed: "del", added: "ins" };
    return dom.make(
      tag,
      { class: "difference", dir: "auto" },
      ...words.diff(one, other).map(({ kind, text }) => dom.make(tags[kind], {}, text)),
    );
  }

  function prompts(cells) {
    const [first, ...rest] = cells;
    const heading = (text) => dom.make("h3", {}, text);
    if (rest.every((cell) => cell.prompt === first.prompt))
      return [heading("Prompt, the same in all"), dom.make("p", { class: "difference", dir: "auto" }, first.prompt)];
    return rest.flatMap((cell, index) => [
      heading(`Prompt: from A to ${letter(index + 1)}`),
      cell.prompt === first.prompt
        ? dom.make("p", { class: "muted" }, "the same")
        : difference(first.prompt, cell.prompt),
    ]);
  }

  const text = (value) => (value === undefined ? "–" : typeof value === "string" ? value : JSON.stringify(value));

  /** The config's leaves that are not equal in all, then what came of them: [name, one text a cell]. */
  function rows(cells) {
    const keys = [...new Set(cells.flatMap((cell) => Object.keys(cell.own)))].filter((key) => key !== "request.prompt");
    const leaves = keys.map((key) => [key, cells.map((cell) => text(cell.own[key]))]);
    const size = (cell) => data.bytes((data.media(cell) || {}).bytes);
    const outcome = [
      ["status", cells.map((cell) => cell.status)],
      ["cost", cells.map((cell) => data.usd(data.cost(cell)))],
      ["latency", cells.map((cell) => data.seconds(cell.latency_seconds))],
      ["file size", cells.map(size)],
    ];
    return [...leaves, ...outcome].filter(([, values]) => new Set(values).size > 1);
  }

  /** Two words beside each other; a figure and its unit are none. */
  const isProse = (value) => /\p{L}\S*\s+\S*\p{L}/u.test(value);

  /** A value beside the first cell's: texts of several words as they differ, others as they are. */
  function told(first, value) {
    if (value !== first && isProse(value) && isProse(first)) return difference(first, value, "td");
    return dom.make("td", { dir: "auto" }, value);
  }

  function table(cells) {
    const found = rows(cells);
    if (!found.length) return dom.make("p", { class: "muted" }, "Config and results are the same.");
    const head = dom.make(
      "tr",
      {},
      dom.make("th", { scope: "col" }, "What differs"),
      ...cells.map((cell, index) => dom.make("th", { scope: "col" }, `${letter(index)}  #${cell.number}`)),
    );
    const body = found.map(([name, values]) =>
      dom.make(
        "tr",
        {},
        dom.make("th", { scope: "row" }, name),
        ...values.map((value) => told(values[0], value)),
      ),
    );
    return dom.make(
      "div",
      { class: "scroller", tabindex: 0, role: "group", "aria-label": "What differs" },
      dom.make("table", { class: "differences" }, dom.make("thead", {}, head), dom.make("tbody", {}, ...body)),
    );
  }

  function inWords(cells) {
    return dom.make(
      "div",
      { class: "compare-words", tabindex: 0, role: "group", "aria-label": "Differences in words" },
      ...prompts(cells),
      dom.make("h3", {}, "Config and results"),
      table(cells),
    );
  }

  const VIEWS = {
    compare2: (cells) => sideBySide(cells.slice(0, 2)),
    compare4: sideBySide,
    wipe: wiped,
    words: inWords,
  };

  function header(cells) {
    const mode = store.state.mode;
    const choice = (name, label) =>
      dom.button(label, label, () => store.set({ mode: name }), {
        "aria-pressed": String(name === mode),
        "data-mode": name,
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
    const focused = document.activeElement?.dataset.mode;
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
    if (!wasOpen || focused || isLost) (overlay().querySelector(`button[data-mode="${focused}"]`) ?? overlay()).focus();
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
    showTray();
    if (store.state.mode) render();
  }

  return { start, toggle, open, close };
})();
