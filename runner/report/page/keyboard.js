/** A key for every action, and the sheet that tells them. */
const keyboard = (() => {
  const sheet = () => document.getElementById("sheet");
  const focused = () => store.cell(store.state.open || store.state.focus);
  const withCell = (action) => () => {
    const cell = focused();
    if (cell) action(cell);
    else dom.say("Choose a run first, by the arrow keys.");
  };
  const move = (dx, dy) => () => {
    if (store.state.open) return detail.go(dx + dy);
    const id = grid.neighbour(store.state.focus, dx, dy);
    if (id) grid.focus(id);
  };

  function find() {
    detail.close();
    compare.close();
    const field = document.querySelector("#toolbar input[type=search], #toolbar input[type=text]");
    if (field?.offsetParent === null) document.getElementById("unfold")?.click();
    field?.focus();
    field?.select();
  }

  function tab(number) {
    const tabs = axes.slots(store.data, store.state.tab);
    if (number <= tabs.length) store.set({ at: number - 1 });
  }

  /** Opens the sheet, or closes it. */
  function show() {
    if (sheet().open) return sheet().close();
    draw();
    sheet().showModal();
  }

  /** [group, keys as told, keys as pressed, what it does, action, where: always, in the grid alone, or in a run] */
  const ACTIONS = [
    ["Playback", "Space", [" "], "play or pause all", () => transport.toggle(), "always"],
    ["Playback", ",  .", [","], "one frame back or on", () => transport.step(-1), "always"],
    ["Playback", null, ["."], null, () => transport.step(1), "always"],
    ["Playback", "[  ]", ["["], "slower or faster", () => transport.faster(-1), "always"],
    ["Playback", null, ["]"], null, () => transport.faster(1), "always"],
    ["Playback", "L", ["l"], "loop", () => transport.loop(), "always"],
    ["Playback", "M", ["m"], "hear this run, or the next, or none", () => transport.hear(), "always"],
    ["Pictures", "+  −", ["+", "="], "zoom all pictures in or out", () => zoom.by(1.25), "always"],
    ["Pictures", null, ["-", "_"], null, () => zoom.by(0.8), "always"],
    ["Pictures", "Shift + arrows", ["Shift+ArrowLeft"], "move zoomed pictures", () => zoom.pan(0.1, 0), "always"],
    ["Pictures", null, ["Shift+ArrowRight"], null, () => zoom.pan(-0.1, 0), "always"],
    ["Pictures", null, ["Shift+ArrowUp"], null, () => zoom.pan(0, 0.1), "always"],
    ["Pictures", null, ["Shift+ArrowDown"], null, () => zoom.pan(0, -0.1), "always"],
    ["Pictures", "0", ["0"], "whole pictures again", () => zoom.reset(), "always"],
    ["Pictures", "Ctrl + wheel", [], "zoom at the pointer; in a dialog the wheel alone", null, "grid"],
    ["Runs", "← → ↑ ↓", ["ArrowLeft"], "go to the run beside", move(-1, 0), "run"],
    ["Runs", null, ["ArrowRight"], null, move(1, 0), "run"],
    ["Runs", null, ["ArrowUp"], null, move(0, -1), "run"],
    ["Runs", null, ["ArrowDown"], null, move(0, 1), "run"],
    ["Runs", "Enter", ["Enter"], "open the run", withCell((cell) => detail.open(cell.id)), "grid"],
    ["Runs", "C", ["c"], "choose it for comparison", withCell((cell) => compare.toggle(cell.id)), "run"],
    ["Runs", "V", ["v"], "compare what is chosen", () => compare.open(), "grid"],
    ["Judgement", "S", ["s"], "star", withCell((cell) => notes.toggle(cell, "star")), "run"],
    ["Judgement", "X", ["x"], "reject", withCell((cell) => notes.toggle(cell, "reject")), "run"],
    ["Judgement", "N", ["n"], "write a note", withCell((cell) => detail.write(cell.id)), "run"],
    ["View", "F  /", ["f", "/"], "find", find, "always"],
    ["View", "1 – 9", ["1", "2", "3", "4", "5", "6", "7", "8", "9"], "tabs", (key) => tab(Number(key)), "grid"],
    ["View", "R", ["r"], "swap the axes", () => toolbar.swap(), "grid"],
    [
      "View",
      "G",
      ["g"],
      "grid or plot",
      () => store.set({ view: store.state.view === "plot" ? "grid" : "plot" }),
      "grid",
    ],
    ["View", "Esc", [], "close", null, "grid"],
    ["View", "?", ["?"], "this sheet", () => show(), "always"],
  ];

  const byKey = new Map(ACTIONS.flatMap(([, , keys, , action, where]) => keys.map((key) => [key, { action, where }])));

  const isTyping = (target) =>
    target.closest(
      "input:not([type=range], [type=checkbox], [type=radio], [type=button]), textarea, select, [contenteditable]",
    );

  /** Keys that the focused control has a use for itself. */
  function isTaken(target, key) {
    if (key === " " || key === "Enter") return Boolean(target.closest("button, a, summary, label, input, [role=tab]"));
    if (!key.startsWith("Arrow") && key !== "Home" && key !== "End") return false;
    return Boolean(target.closest("input, [role=slider], [role=tab], [role=tablist], .scroller, pre, .prompt"));
  }

  const name = ({ key, shiftKey }) =>
    key.startsWith("Arrow") && shiftKey ? `Shift+${key}` : key.length === 1 ? key.toLowerCase() : key;

  function typing(event) {
    if (event.key !== "Escape") return;
    // The first Escape leaves the field, the next one the dialog.
    event.preventDefault();
    event.target.blur();
    event.target.closest("dialog")?.focus();
  }

  /** Whether an action makes sense where the reader is now. */
  function works(where, key) {
    if (sheet().open) return key === "?";
    if (store.state.open) return where !== "grid";
    return !store.state.mode || where === "always";
  }

  function onKey(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const target = event.target instanceof Element ? event.target : document.body;
    if (isTyping(target)) return typing(event);
    const key = name(event);
    const found = byKey.get(key);
    if (!found?.action || isTaken(target, key)) return;
    if (!works(found.where, key)) return;
    event.preventDefault();
    found.action(key);
  }

  function draw() {
    if (sheet().childElementCount) return;
    const groups = [...new Set(ACTIONS.map(([group]) => group))];
    const list = (group) =>
      dom.make(
        "section",
        {},
        dom.make("h3", {}, group),
        dom.make(
          "dl",
          {},
          ...ACTIONS.filter(([one, told]) => one === group && told).flatMap(([, told, , what]) => [
            dom.make("dt", {}, ...told.split(/ {2}/).map((key) => dom.make("kbd", {}, key))),
            dom.make("dd", {}, what),
          ]),
        ),
      );
    sheet().append(
      dom.make(
        "header",
        {},
        dom.make("h2", {}, "Keys"),
        icon.button("close", "Close", () => sheet().close()),
      ),
      dom.make("div", { class: "sheet-body" }, ...groups.map(list)),
    );
  }

  /** Listens, and builds the button of the sheet. */
  function start() {
    document.addEventListener("keydown", onKey);
    document
      .getElementById("tools")
      .append(icon.button("keys", "Keys", show, { id: "keys-button", "aria-keyshortcuts": "?" }));
  }

  return { start, show };
})();
