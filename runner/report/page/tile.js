/** One run as it stands in the grid: picture or state, caption, and its buttons. */
const tile = (() => {
  /** What the states look like and are called, by their names; `store` takes both from the page's data. */
  const SIGNS = {};
  const WORDS = {};
  const UNDER_WAY = new Set(["generating", "downloading"]);

  const RESTING = 150; // milliseconds that a pointer rests on a picture before it plays

  /** A tile {cell, element, media} for a run, which shares its cell with those in `together`. */
  function make(cell, together) {
    const element = dom.make("div", { class: "tile", role: "group", tabindex: -1, "data-id": cell.id });
    const made = { cell: null, media: null, source: "", element, frame: dom.make("div", { class: "frame" }) };
    element.append(made.frame, caption(made));
    element.addEventListener("focusin", () => {
      if (store.state.focus !== made.cell.id) store.set({ focus: made.cell.id });
    });
    made.frame.addEventListener("click", (event) => {
      const isText = !getSelection().isCollapsed; // which somebody wants to copy
      if (!event.target.closest("button, a") && !isText) detail.open(made.cell.id);
    });
    hover(made);
    update(made, cell, together);
    return made;
  }

  /** Play a video while the pointer rests on it. */
  function hover(made) {
    let timer = 0;
    const still = matchMedia("(prefers-reduced-motion: reduce)");
    made.frame.addEventListener("pointerenter", ({ pointerType }) => {
      if (pointerType !== "mouse" || still.matches || !made.media?.matches("video")) return;
      timer = setTimeout(() => transport.preview(made.media), RESTING);
    });
    made.frame.addEventListener("pointerleave", () => {
      clearTimeout(timer);
      transport.preview(null);
    });
  }

  /** Show a newer state of the same run; what plays goes on playing. */
  function update(made, cell, together) {
    const old = made.cell;
    Object.assign(made, { cell, together });
    // The same data is not compared: files that are embedded in it are large.
    if (old === cell || (old && JSON.stringify(old) === JSON.stringify(cell))) return;
    made.element.dataset.group = cell.group;
    made.element.setAttribute("aria-label", spoken(cell));
    const media = data.media(cell);
    const source = media ? `${media.path} ${media.sha256 ?? ""}` : "";
    if (!media || made.source !== source || !old) show(made, cell, media, source);
    describe(made);
    mark(made);
  }

  function show(made, cell, media, source) {
    release(made);
    made.source = source;
    if (!media) return made.frame.replaceChildren(state(cell));
    made.media = picture.make(cell, media);
    made.frame.replaceChildren(made.media);
    zoom.attach(made.media);
    if (data.isVideo(media)) transport.attach(cell, made.media);
  }

  /** Give back what the tile's media hold. */
  function release(made) {
    const { media } = made;
    made.media = null;
    if (!media) return;
    zoom.detach(media);
    if (media.matches("video")) transport.detach(media);
  }

  function state(cell) {
    const said = (style, text) => {
      const seen = clip(text, 600);
      return text ? dom.make("p", { class: style, dir: "auto", title: seen }, seen) : null;
    };
    return dom.make("div", { class: "state" },
      dom.make("strong", {}, cell.group === "done" ? "No file" : WORDS[cell.group] ?? cell.status),
      UNDER_WAY.has(cell.group) && !cell.reason ? progress(cell) : null,
      dom.make("div", { class: "why", role: "group", "aria-label": "Why" }, said("reason", cell.reason), said("hint", cell.hint)),
      way(cell));
  }

  /** The command that goes on; for what failed for good, the one that makes it, and pays for it, again. */
  function way(cell) {
    if (cell.continue) return dom.command(cell.continue, "the command that continues");
    return cell.group === "failed" && cell.repeat ? dom.command(cell.repeat, "the command that makes it again") : null;
  }

  function progress(cell) {
    const percent = cell.progress === null || cell.progress === undefined ? null : Math.round(cell.progress);
    const bar = dom.make("progress", { max: 100, value: percent, "aria-label": "Progress" });
    const words = [cell.remote_status ?? cell.status, percent === null ? null : `${percent} %`].filter(Boolean).join(" · ");
    return dom.make("div", { class: "running" }, bar, dom.make("p", { class: "hint" }, words));
  }

  /** The line below the picture, without its words; the buttons stay, so that they keep the focus. */
  function caption(made) {
    const words = {
      badge: dom.make("span", { class: "badge", "aria-hidden": "true" }),
      what: dom.make("span", { class: "what", dir: "auto" }),
      facts: dom.make("span", { class: "facts" }),
    };
    const buttons = {
      star: icon.button("star", "Star", () => toggle(made, "star")),
      reject: icon.button("reject", "Reject", () => toggle(made, "reject")),
      compare: icon.button("compare", "Compare", () => compare.toggle(made.cell.id)),
      open: icon.button("expand", "Open", () => detail.open(made.cell.id)),
    };
    Object.assign(made, { words, buttons });
    const actions = dom.make("span", { class: "actions" }, ...Object.values(buttons));
    return dom.make("div", { class: "caption" }, ...Object.values(words), actions);
  }

  const toggle = ({ cell }, what) => ratings.toggle(files.run(cell), ratings.file(cell), what);

  function describe({ words, cell, together }) {
    dom.set(words.badge, { "data-group": cell.group, title: cell.status }).textContent = SIGNS[cell.group];
    dom.set(words.what, { title: clip(cell.prompt, 500) }).textContent = what(cell, together);
    words.facts.textContent = facts(cell);
  }

  /** What tells this run from those in the same cell; where it is alone there, its number. */
  function what(cell, together) {
    const file = cell.count ? `${cell.file + 1} of ${cell.count}` : null;
    if (grid.kind === "list") return [clip(cell.label || cell.prompt, 300) || name(cell), file].filter(Boolean).join(" · ");
    const apart = axes.others(store.data, store.state).filter(({ key }) => {
      const read = axes.reader(store.data, key);
      return together.some((one) => read(one) !== read(cell));
    });
    const words = apart.map((axis) => axes.named(axis, clip(data.value(cell, axis.key), 40)));
    return [...words, maker(cell, words), file].filter(Boolean).join(" · ") || name(cell);
  }

  /** Provider and model, where they differ and neither an axis that is seen nor the words before says so. */
  function maker(cell, words) {
    const fields = ["provider", "model"].filter((field) => data.untold(field, (one) => one[field]));
    return fields.map((field) => cell[field]).filter((text) => !words.includes(text)).join(" ");
  }

  function facts(cell) {
    const wait = cell.latency_seconds === null ? null : data.seconds(cell.latency_seconds);
    const warnings = cell.warnings?.length ? `⚠ ${cell.warnings.length}` : null;
    return [warnings, price(cell), wait].filter(Boolean).join(" · ");
  }

  /** What the run cost; what it is to cost, as long as it is ahead. */
  function price(cell) {
    if (cell.reused_from) return "reused";
    if (data.cost(cell) !== null) return `${data.usd(data.cost(cell))}${cell.count ? ` for ${cell.count}` : ""}`;
    const ahead = cell.group === "queued" || UNDER_WAY.has(cell.group);
    return ahead && Number.isFinite(cell.estimated_usd) ? `~${data.usd(cell.estimated_usd)}` : null;
  }

  /** A run's number, with its sweep's name where there are several, and its file's where it has several. */
  function name(cell) {
    const sweep = store.data.sweeps.length > 1 ? `${store.data.sweeps[cell.sweep]?.name} ` : "";
    return `${sweep}#${cell.number}${cell.count ? `, ${cell.file + 1} of ${cell.count}` : ""}`;
  }

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
    const own = files.mine(cell);
    const compared = store.state.compare.includes(cell.id);
    const current = store.state.focus === cell.id;
    const pressed = { star: own.star, reject: own.reject, compare: compared };
    for (const [key, on] of Object.entries(pressed)) {
      element.classList.toggle(key, on);
      buttons[key].setAttribute("aria-pressed", String(on));
    }
    const told = grading.told(own);
    if (told !== (element.dataset.verdict ?? "")) {
      dom.set(element, { "data-verdict": told || null, "aria-label": [spoken(cell), grading.spoken(own)].filter(Boolean).join(", ") });
    }
    element.classList.toggle("noted", Boolean(own.note));
    element.classList.toggle("current", current);
    reach(made, current);
  }

  /** Let Tab come to this tile, its buttons and its texts that scroll, or pass over it. */
  function reach(made, yes) {
    made.element.tabIndex = yes ? 0 : -1;
    for (const button of made.element.querySelectorAll("button, a, .why, code")) button.tabIndex = yes ? 0 : -1;
  }

  return { make, update, release, mark, reach, clip, name, WORDS, SIGNS };
})();
