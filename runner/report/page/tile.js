/** One run as it stands in the grid: picture or state, caption, and its buttons. */
const tile = (() => {
  const SIGNS = { done: "✓", failed: "✕", uncertain: "?", running: "◔", pending: "○" };
  const WORDS = { done: "Done", failed: "Failed", uncertain: "Uncertain", running: "Running", pending: "Pending" };

  /** A tile {cell, element, media} for a run, which shares its cell with those in `together`. */
  function make(cell, together) {
    const element = dom.make("div", { class: "tile", role: "group", tabindex: -1, "data-id": cell.id });
    const made = { cell: null, together, media: null, source: "", element, frame: dom.make("div", { class: "frame" }) };
    element.append(made.frame);
    element.addEventListener("focusin", () => {
      if (store.state.focus !== made.cell.id) store.set({ focus: made.cell.id });
    });
    made.frame.addEventListener("dblclick", () => detail.open(made.cell.id));
    made.frame.addEventListener("click", (event) => {
      if (!event.target.closest("button")) element.focus({ preventScroll: true });
    });
    update(made, cell);
    return made;
  }

  /** Show a newer state of the same run; what plays goes on playing. */
  function update(made, cell) {
    const text = JSON.stringify(cell);
    const old = made.cell;
    made.cell = cell;
    if (made.text === text) return;
    made.text = text;
    made.element.dataset.group = cell.group;
    made.element.setAttribute("aria-label", spoken(cell));
    const media = data.media(cell);
    const source = media ? `${media.path} ${media.sha256 ?? ""}` : "";
    if (!media || made.source !== source || !old) show(made, cell, media, source);
    made.caption?.remove();
    made.caption = caption(made, cell);
    made.element.append(made.caption);
    mark(made);
  }

  function show(made, cell, media, source) {
    release(made);
    made.source = source;
    made.frame.replaceChildren(media ? picture(made, cell, media) : state(cell));
    if (!made.media) return;
    zoom.attach(cell, made.media);
    if (data.isVideo(media)) transport.attach(cell, made.media);
  }

  /** Give back what the tile's media hold. */
  function release(made) {
    const { media, cell } = made;
    made.media = null;
    if (!media) return;
    zoom.detach(cell, media);
    if (!(media instanceof HTMLVideoElement)) return;
    transport.detach(cell, media);
    media.removeAttribute("src");
    media.load();
  }

  function picture(made, cell, media) {
    const lost = () => made.frame.replaceChildren(dom.make("p", { class: "state" }, `The file is not there: ${media.path}`));
    const label = `${name(cell)}: ${clip(cell.prompt, 200)}`;
    if (!data.isVideo(media)) {
      made.media = dom.make("img", { loading: "lazy", decoding: "async", draggable: "false", alt: label, onerror: lost });
      made.media.src = media.path;
      return made.media;
    }
    made.media = dom.make("video", {
      playsinline: true, preload: "none", disablepictureinpicture: true, tabindex: -1, poster: media.poster,
      "data-src": media.path, "aria-label": label, onerror: lost,
    });
    made.media.muted = true;
    return made.media;
  }

  function state(cell) {
    const ways = cell.continue ?? (cell.group === "done" || cell.group === "running" ? null : cell.repeat);
    const said = (style, text) => {
      const seen = clip(text, 600);
      return text ? dom.make("p", { class: style, dir: "auto", title: seen }, seen) : null;
    };
    return dom.make("div", { class: "state" },
      dom.make("strong", {}, cell.group === "done" ? "No file" : WORDS[cell.group] ?? cell.status),
      cell.group === "running" ? progress(cell) : null,
      dom.make("div", { class: "why" }, said("reason", cell.reason), said("hint", cell.hint)),
      ways ? dom.command(ways, "the command that continues") : null);
  }

  function progress(cell) {
    const percent = cell.progress === null || cell.progress === undefined ? null : Math.round(cell.progress);
    const bar = dom.make("progress", { max: 100, value: percent, "aria-label": "Progress" });
    const words = [cell.remote_status ?? cell.status, percent === null ? null : `${percent} %`].filter(Boolean).join(" · ");
    return dom.make("div", { class: "running" }, bar, dom.make("p", { class: "hint" }, words));
  }

  function caption(made, cell) {
    const buttons = {
      star: icon.button("star", "Star", () => notes.toggle(made.cell, "star")),
      reject: icon.button("reject", "Reject", () => notes.toggle(made.cell, "reject")),
      compare: icon.button("compare", "Compare", () => compare.toggle(made.cell.id)),
      open: icon.button("expand", "Open", () => detail.open(made.cell.id)),
    };
    made.buttons = buttons;
    return dom.make("div", { class: "caption" },
      dom.make("span", { class: "badge", "data-group": cell.group, title: cell.status, "aria-hidden": "true" }, SIGNS[cell.group]),
      dom.make("span", { class: "what", dir: "auto", title: clip(cell.prompt, 500) }, what(cell, made.together)),
      dom.make("span", { class: "facts" }, facts(cell)),
      dom.make("span", { class: "actions" }, ...Object.values(buttons)));
  }

  /** What tells this run from those in the same cell; where it is alone there, its number. */
  function what(cell, together) {
    if (grid.kind === "list") return clip(cell.label || cell.prompt, 300) || name(cell);
    const apart = axes.others(store.data, store.state).filter(({ key }) => {
      const read = axes.reader(store.data, key);
      return together.some((one) => read(one) !== read(cell));
    });
    const words = apart.map((axis) => worded(axis.name, clip(data.value(cell, axis.key), 40)));
    return [...words, maker(cell)].filter(Boolean).join(" · ") || name(cell);
  }

  /** A value that says by itself what it is stands alone. */
  const worded = (name, value) => (value.length > 4 ? value : `${name} ${value}`);

  /** Provider and model, where they differ and no axis that is seen says so. */
  function maker(cell) {
    const fields = ["provider", "model"].filter((field) => data.untold(field, (one) => one[field]));
    return fields.map((field) => cell[field]).join(" ");
  }

  function facts(cell) {
    const more = cell.media.length > 1 ? `1 of ${cell.media.length}` : null;
    const price = cell.reused_from ? "reused" : data.cost(cell) === null ? null : data.usd(data.cost(cell));
    const wait = cell.latency_seconds === null ? null : data.seconds(cell.latency_seconds);
    const warnings = cell.warnings?.length ? `⚠ ${cell.warnings.length}` : null;
    return [warnings, more, price, wait].filter(Boolean).join(" · ");
  }

  const name = (cell) => `${store.data.sweeps.length > 1 ? `${store.data.sweeps[cell.sweep]?.name} ` : ""}#${cell.number}`;

  function spoken(cell) {
    const words = [cell.label || cell.prompt, cell.reason].map((text) => clip(text, 200));
    return [`Run ${name(cell)}`, cell.status, ...words, facts(cell)].filter(Boolean).join(", ");
  }

  /** A text that fits: hostile prompts have tens of thousands of characters. */
  function clip(text, length) {
    const flat = String(text ?? "");
    return flat.length > length ? `${flat.slice(0, length).toWellFormed?.() ?? flat.slice(0, length)}…` : flat;
  }

  /** Show what the reader thinks of the run, and whether it is the one that Tab comes to. */
  function mark(made) {
    const { element, cell, buttons } = made;
    const note = notes.get(cell);
    const compared = store.state.compare.includes(cell.id);
    const current = store.state.focus === cell.id;
    const pressed = { star: Boolean(note.star), reject: Boolean(note.reject), compare: compared };
    for (const [key, on] of Object.entries(pressed)) {
      element.classList.toggle(key, on);
      buttons[key].setAttribute("aria-pressed", String(on));
    }
    element.classList.toggle("noted", Boolean(note.text));
    element.classList.toggle("current", current);
    reach(made, current);
  }

  /** Let Tab come to this tile and its buttons, or pass over it. */
  function reach(made, yes) {
    made.element.tabIndex = yes ? 0 : -1;
    for (const button of made.element.querySelectorAll("button")) button.tabIndex = yes ? 0 : -1;
  }

  return { make, update, release, mark, reach, clip, name, WORDS, SIGNS };
})();
