/** Blind pairs: two files of one prompt side by side, their names hidden until one is chosen. */
const pairing = (() => {
  const REVEAL = "runner.reveal";
  const parts = { pair: null, videos: [], zoomed: [], told: null, broken: new Set() };
  const SIDES = { left: "A", right: "B" };
  const WORDS = { left: "A is better", right: "B is better", tie: "both are as good", both_bad: "both are bad" };

  const dialog = () => document.getElementById("pairing");
  const by = () => pairs.chosen(store.state.rank);

  /** Opens it, with a seed of its own where the address has none. */
  function open() {
    const seed = store.state.seed || 1 + Math.floor(Math.random() * 999999);
    store.set({ pairs: true, seed, open: "", mode: "" });
  }

  const close = () => store.set({ pairs: false });

  function release() {
    parts.zoomed.forEach(zoom.detach);
    parts.videos.forEach(transport.detach);
    Object.assign(parts, { videos: [], zoomed: [] });
  }

  /** The element for a file, of which nothing says what it is: no name, no poster, and no sound where only one has any. */
  function media({ media: file, key }, side, silent) {
    const lost = () => skip(key);
    const usual = { "aria-label": `File ${SIDES[side]}`, draggable: "false", onerror: lost };
    if (!data.isVideo(file)) return dom.make("img", { ...usual, "aria-label": null, alt: `File ${SIDES[side]}`, src: file.path });
    const video = dom.make("video", { ...usual, disablepictureinpicture: true, tabindex: -1, "data-src": file.path, "data-silent": silent });
    parts.videos.push(video);
    return video;
  }

  /** Goes on without a file that the browser cannot show. */
  function skip(key) {
    if (parts.told || ![parts.pair?.left?.key, parts.pair?.right?.key].includes(key)) return;
    parts.broken.add(key);
    dom.say("A file that cannot be shown was skipped.");
    advance();
  }

  function figure(file, side, silent) {
    const frame = dom.make("div", { class: "pair-frame" }, media(file, side, silent));
    const name = dom.make("span", { class: "letter" }, SIDES[side]);
    return dom.make("figure", { "data-side": side }, frame, dom.make("figcaption", {}, name, dom.make("span", { class: "what", dir: "auto" }), dom.make("span", { class: "facts" })));
  }

  function stage() {
    release();
    const { left, right } = parts.pair;
    if (!left) {
      parts.sides.replaceChildren(over());
      parts.prompt.textContent = "";
      return transport.only([]);
    }
    const silent = !(left.media.audio_codec && right.media.audio_codec);
    parts.sides.replaceChildren(figure(left, "left", silent), figure(right, "right", silent));
    // Where prompts are compared, they say which is which.
    parts.prompt.textContent = left.cell.prompt === right.cell.prompt ? left.cell.prompt : "";
    parts.zoomed = [...parts.sides.querySelectorAll("img, video")];
    parts.zoomed.forEach(zoom.attach);
    for (const video of parts.videos) {
      const side = video.closest("figure").dataset.side;
      transport.attach({ id: SIDES[side], media: [parts.pair[side].media] }, video);
    }
    transport.only(parts.videos);
  }

  /** What stands where no pair is left. */
  function over() {
    const { judged, total } = parts.pair;
    const words = total
      ? `All ${judged} pairs are judged.`
      : `No two files that are shown differ in ${by().name}: choose something else to compare by, or show more runs.`;
    const ways = total ? dom.button("Scoreboard", "Show the scoreboard", toScores, { class: "primary" }) : null;
    return dom.make("div", { class: "nothing" }, dom.make("p", {}, words), ways);
  }

  const toScores = () => store.set({ pairs: false, view: "scores" });

  function advance(pair = null) {
    parts.told = null;
    parts.spoken.textContent = "";
    parts.pair = pair ?? pairs.next(by(), store.state.seed, parts.broken);
    stage();
    show();
  }

  /** Takes a choice: "left", "right", "tie" or "both_bad"; once it is told, goes on. */
  function choose(outcome) {
    const { left, right } = parts.pair ?? {};
    if (!left) return;
    if (parts.told) return next();
    const place = ({ cell, media: { name } }) => ({ run: cell.key, file: name ?? "" });
    const facts = { left: place(left), right: place(right), outcome, by: by().key, seed: store.state.seed };
    parts.told = outcome;
    ratings.add(records.make("pair", ratings.rater, facts));
    if (parts.reveal.checked) tell();
    else next();
  }

  /** Goes on to the next pair once a choice is told. */
  function next() {
    if (!parts.told) return;
    advance();
    dialog().focus();
  }

  function tell() {
    for (const side of ["left", "right"]) {
      const { cell, media: file } = parts.pair[side];
      const figure_ = parts.sides.querySelector(`[data-side="${side}"]`);
      const number = cell.media.length > 1 ? ` · ${file.name}` : "";
      figure_.querySelector(".what").textContent = `${named(cell)}${number}`;
      figure_.querySelector(".facts").textContent = `${data.usd(data.cost(cell))} · ${data.seconds(cell.latency_seconds)}`;
      figure_.classList.toggle("chosen", parts.told === side);
    }
    const [one, other] = [parts.pair.left, parts.pair.right].map(({ cell }) => named(cell));
    parts.spoken.textContent = `${WORDS[parts.told]}. A: ${tile.clip(one, 100)}; B: ${tile.clip(other, 100)}`;
    show();
    parts.next.focus();
  }

  /** What a file is of, in what is compared by, with its run. */
  function named(cell) {
    const own = by() === pairs.FILE ? cell.label : by().of(cell);
    return [own, `run ${tile.name(cell)}`].filter(Boolean).join(" · ");
  }

  /** Takes the last choice back, and shows its pair again. */
  function undo() {
    const last = pairs.last(by());
    if (!last) return dom.say("There is no choice to take back.");
    ratings.add(records.make("undo", ratings.rater, { of: last.record.id }));
    const { judged, total } = pairs.next(by(), store.state.seed, parts.broken);
    advance({ left: last.left, right: last.right, judged, total });
    dom.say("Taken back: choose again.");
    dialog().focus();
  }

  /** Let the controls say what is known. */
  function show() {
    const { left, judged, total } = parts.pair;
    const done = judged + (parts.told ? 1 : 0);
    const hidden = store.data.cells.length - data.shown().length;
    parts.progress.textContent = [
      `${done.toLocaleString("en-US")} of ${total.toLocaleString("en-US")} pairs`,
      hidden ? `${hidden.toLocaleString("en-US")} runs filtered out` : null,
    ].filter(Boolean).join(" · ");
    dom.set(parts.bar, { max: Math.max(1, total), value: done });
    for (const button of parts.choices) button.disabled = !left;
    parts.foot.classList.toggle("told", Boolean(parts.told));
    parts.next.hidden = !parts.told;
    for (const button of parts.choices) button.hidden = Boolean(parts.told);
    parts.undo.disabled = !pairs.last(by());
  }

  function picker() {
    const select = dom.make("select", { id: "pairs-by", onchange: (event) => store.set({ rank: event.target.value }) });
    parts.by = select;
    return dom.make("span", { class: "pair-by" }, dom.make("label", { for: "pairs-by" }, "by"), select);
  }

  function options() {
    parts.by.replaceChildren(...pairs.choices().map(({ key, name }) => dom.make("option", { value: key, selected: key === by().key }, name)));
  }

  function foot() {
    const choice = (outcome, text, key) => {
      const button = dom.make("button", { type: "button", "data-outcome": outcome, "aria-keyshortcuts": key.name, onclick: () => choose(outcome) });
      button.append(text, dom.make("kbd", { "aria-hidden": "true" }, key.sign));
      return button;
    };
    parts.choices = [
      choice("left", "A is better", { name: "ArrowLeft", sign: "←" }),
      choice("tie", "Both as good", { name: "ArrowDown", sign: "↓" }),
      choice("both_bad", "Both bad", { name: "X", sign: "X" }),
      choice("right", "B is better", { name: "ArrowRight", sign: "→" }),
    ];
    parts.next = dom.make("button", { type: "button", class: "primary", "aria-keyshortcuts": "Enter", onclick: next }, "Next pair", dom.make("kbd", { "aria-hidden": "true" }, "⏎"));
    parts.undo = dom.make("button", { type: "button", "aria-keyshortcuts": "Backspace", onclick: undo }, "Undo", dom.make("kbd", { "aria-hidden": "true" }, "⌫"));
    parts.reveal = dom.make("input", { type: "checkbox", id: "pairs-reveal", onchange: keepReveal });
    parts.reveal.checked = localReveal();
    const reveal = dom.make("label", { for: "pairs-reveal", class: "pair-reveal" }, parts.reveal, "Show names after each choice");
    return dom.make("div", { class: "pair-foot", role: "group", "aria-label": "Choice" }, ...parts.choices, parts.next, parts.undo, reveal);
  }

  function localReveal() {
    try {
      return localStorage.getItem(REVEAL) !== "no";
    } catch {
      return true;
    }
  }

  function keepReveal() {
    try {
      localStorage.setItem(REVEAL, parts.reveal.checked ? "yes" : "no");
    } catch {
      // It holds as long as the page.
    }
  }

  function frame() {
    if (parts.sides) return;
    parts.progress = dom.make("output", { class: "muted" });
    parts.bar = dom.make("progress", { "aria-label": "Pairs that are judged" });
    parts.sides = dom.make("div", { class: "pair-sides" });
    // What a browser offers for a picture tells the file's name.
    parts.sides.addEventListener("contextmenu", (event) => event.preventDefault());
    parts.prompt = dom.make("p", { class: "pair-prompt", dir: "auto" });
    parts.foot = foot();
    parts.spoken = dom.make("p", { class: "spoken", role: "status" });
    const header = dom.make(
      "header",
      {},
      dom.make("h2", { id: "pairing-title" }, "Which is better?"),
      picker(),
      dom.make("span", { class: "pair-progress" }, parts.bar, parts.progress),
      icon.button("close", "Close", close, { "aria-keyshortcuts": "Escape" }),
    );
    dom.set(dialog(), { "aria-labelledby": "pairing-title", "aria-label": null, tabindex: -1 });
    dialog().append(header, parts.prompt, parts.sides, parts.foot, parts.spoken);
    dialog().addEventListener("close", () => {
      if (store.state.pairs && !dialog().open) close();
    });
  }

  function render() {
    if (!store.state.pairs) return leave();
    frame();
    options();
    if (!dialog().open) {
      parts.opener = document.activeElement;
      dialog().showModal();
      dock.lend(dialog());
    }
    advance();
    dialog().focus();
  }

  function leave() {
    if (!dialog().open && !parts.pair) return;
    release();
    Object.assign(parts, { pair: null, told: null });
    dock.lend(null);
    parts.sides.replaceChildren();
    dialog().close();
    transport.only(null);
    parts.opener?.focus({ preventScroll: true });
  }

  /** Builds the button that opens it, and opens what the address says. */
  function start() {
    const button = icon.button("pairs", "Judge blind pairs", open, { id: "pairs-button", "aria-keyshortcuts": "P" });
    document.getElementById("tools").append(button);
    store.on((changed) => {
      if (changed.has("pairs") || (store.state.pairs && changed.has("rank"))) render();
      else if (store.state.pairs && changed.has("data") && !parts.pair?.left) advance();
    });
    if (store.state.pairs) open();
    if (store.state.pairs) render();
  }

  return { start, open, choose, next, undo };
})();
