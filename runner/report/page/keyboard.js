/** A key for every action, and the sheet that tells them. */
const keyboard = (() => {
  const sheet = () => document.getElementById("sheet");
  const focused = () => store.cell(store.state.open || store.state.focus);
  const withCell = (action) => () => {
    const cell = focused();
    if (cell) action(cell);
    else dom.say("Choose a run first, by the arrow keys.");
  };
  /** The file that the reader looks at, with its run: in the comparison that of the side in use. */
  function target() {
    const one = store.state.mode && !store.state.open ? compare.current() : focused();
    return one && { cell: files.run(one), file: store.state.open ? detail.judged() : ratings.file(one) };
  }

  const judge = (action) => {
    const { cell, file } = target() ?? {};
    if (cell) action(cell, file);
    else dom.say("Choose a run first, by the arrow keys.");
  };
  const move = (dx, dy) => () => {
    if (store.state.open) return detail.go(dx + dy);
    const id = grid.neighbour(store.state.focus, dx, dy);
    if (id) grid.focus(id);
  };

  const control = (name) => document.querySelector(`#toolbar [name="${name}"]`);
  const press = (name) => () => control(name).click();

  /** Brings the reader to a control, which on a phone is folded away. */
  function reach(field) {
    if (field.offsetParent === null) document.getElementById("unfold").click();
    field.focus();
  }

  function find() {
    detail.close();
    compare.close();
    reach(control("find"));
    control("find").select();
  }

  function toAxes() {
    const field = store.state.view === "plot" ? document.getElementById("plot-axis") : control("x");
    if (field) reach(field);
    else dom.say("Nothing varies between these runs.");
  }

  /** Shows the runs of one status after the other, then all. */
  function nextStatus() {
    const names = data.groups().map(([name]) => name);
    const next = names[names.indexOf(store.state.groups[0]) + 1];
    store.set({ groups: next ? [next] : [] });
    dom.say(next ? `Only runs that are ${tile.WORDS[next].toLowerCase()}` : "Runs of every status");
  }

  function nextOrder() {
    const field = control("sort");
    field.selectedIndex = (field.selectedIndex + 1) % field.options.length;
    field.dispatchEvent(new Event("change"));
    dom.say(`Sorted by ${field.selectedOptions[0].text}`);
  }

  function resize(steps) {
    const field = control("size");
    field.stepUp(steps);
    field.dispatchEvent(new Event("input"));
    dom.say(`Cells of ${field.value} pixels`);
  }

  /** Compares all that is chosen, or two of it where all of it is seen already. */
  const sideBySide = () => compare.open(store.state.mode === "compare4" ? "compare2" : undefined);

  const copied = (what, named) =>
    withCell((cell) => (cell[what] ? dom.copy(cell[what], named) : dom.say(`Run ${cell.number} has none: ${named}`)));

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

  const DIGITS = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];

  const RATES = ["Rate 1", "Rate 2", "Rate 3", "Rate 4", "Rate 5"];
  const rate = (number) => judge((cell, file) => grading.rate(cell, file, number));
  const mark = (what) => () => judge((cell, file) => ratings.toggle(cell, file, what));

  /** [group, keys as told, keys as pressed, what it does, action, where: `works`] */
  const ACTIONS = [
    ["Playback", "Space", [" "], "play or pause all", () => transport.toggle(), "always"],
    ["Playback", ",  .", [","], "one frame back or on", () => transport.step(-1), "always"],
    ["Playback", null, ["."], null, () => transport.step(1), "always"],
    ["Playback", "J  K", ["j"], "a second back or on", () => transport.seek(transport.position - 1), "always"],
    ["Playback", null, ["k"], null, () => transport.seek(transport.position + 1), "always"],
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
    ["Runs", "1 – 9", DIGITS, "a file of the open run", (key) => detail.file(Number(key) - 1), "open"],
    ["Runs", "Y", ["y"], "copy the command that repeats it", copied("repeat", "the command that repeats it"), "run"],
    ["Runs", "Shift + Y", ["Shift+y"], "copy the one that continues", copied("continue", "the command that continues"),
      "run"],
    ["Blind pairs", "P", ["p"], "judge two files without their names", () => pairing.open(), "grid"],
    ["Blind pairs", "←  →", ["ArrowLeft"], "the left or the right one is better", () => pairing.choose("left"), "pairs"],
    ["Blind pairs", null, ["ArrowRight"], null, () => pairing.choose("right"), "pairs"],
    ["Blind pairs", "↓", ["ArrowDown"], "both are as good", () => pairing.choose("tie"), "pairs"],
    ["Blind pairs", "X", ["x"], "both are bad", () => pairing.choose("both_bad"), "pairs"],
    ["Blind pairs", "Enter", ["Enter"], "the next pair", () => pairing.next(), "pairs"],
    ["Blind pairs", "Backspace", ["Backspace"], "take the last choice back", () => pairing.undo(), "pairs"],
    ["Comparison", "C", ["c"], "choose the run", withCell((cell) => compare.toggle(cell.id)), "run"],
    ["Comparison", "Shift + C", ["Shift+c"], "choose none", () => store.set({ compare: [] }), "compare"],
    ["Comparison", "V", ["v"], "side by side: all, or two", sideBySide, "compare"],
    ["Comparison", "W", ["w"], "wipe one over the other", () => compare.open("wipe"), "compare"],
    ["Comparison", "D", ["d"], "the differences in words", () => compare.open("words"), "compare"],
    ["Comparison", "←  →", ["ArrowLeft"], "another run on the side in use", () => compare.step(-1), "sides"],
    ["Comparison", null, ["ArrowRight"], null, () => compare.step(1), "sides"],
    ["Comparison", "↑  ↓", ["ArrowUp"], "the other side: judgements and arrows act on it", () => compare.turn(-1), "sides"],
    ["Comparison", null, ["ArrowDown"], null, () => compare.turn(1), "sides"],
    ["Judgement", "S", ["s"], "star", mark("star"), "judge"],
    ["Judgement", "X", ["x"], "reject", mark("reject"), "judge"],
    ["Judgement", "Shift + 1 – 5", RATES, "rate; the same again takes it back", (key) => rate(Number(key.slice(-1))), "judge"],
    ["Judgement", "Shift + letter", [], "a tag", null, "judge"],
    ["Judgement", "N", ["n"], "write a note", withCell((cell) => detail.write(cell.id)), "run"],
    ["Judgement", "E", ["e"], "export the ratings", () => exchange.download(), "page"],
    ["Judgement", "I", ["i"], "import ratings", () => exchange.choose(), "page"],
    ["Filter", "F  /", ["f", "/"], "find", find, "page"],
    ["Filter", "U", ["u"], "only runs of the next status", nextStatus, "grid"],
    ["Filter", "Shift + S", ["Shift+s"], "only starred runs", press("starred"), "grid"],
    ["Filter", "Shift + X", ["Shift+x"], "hide rejected runs", press("unrejected"), "grid"],
    ["Filter", "Shift + F", ["Shift+f"], "show all runs", () => toolbar.clear(), "grid"],
    ["View", "1 – 9", DIGITS, "tabs", (key) => tab(Number(key)), "grid"],
    ["View", "A", ["a"], "to the axes", toAxes, "grid"],
    ["View", "R", ["r"], "swap the axes", () => toolbar.swap(), "grid"],
    ["View", "O", ["o"], "the next order", nextOrder, "grid"],
    ["View", "B  Shift + B", ["b"], "bigger or smaller cells", () => resize(2), "grid"],
    ["View", null, ["Shift+b"], null, () => resize(-2), "grid"],
    ["View", "G", ["g"], "grid or plot", () => views.toggle("plot"), "grid"],
    ["View", "Shift + G", ["Shift+g"], "grid or scoreboard", () => views.toggle("scores"), "grid"],
    ["View", "T", ["t"], "the next theme", press("theme"), "always"],
    ["View", "Esc", [], "close", null, "grid"],
    ["View", "?", ["?"], "this sheet", () => show(), "always"],
  ];

  /** What a key does where the reader is now. */
  const found = (key) => ACTIONS.find(([, , keys, , , where]) => keys.includes(key) && works(where, key))?.[4] ?? tagging(key);

  /** What a tag's key does. */
  function tagging(key) {
    const word = works("judge", key) ? tags.byKey(key) : null;
    return word === null ? null : () => judge((cell, file) => grading.tag(cell, file, word));
  }

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

  /** A key as in `ACTIONS`; signs are told apart by what they are, as Shift has part in them. */
  function name({ key, code, shiftKey }) {
    // The other sign of a digit's key, by Shift on most keyboards, without it on those where digits need it.
    const [, digit] = /^Digit([1-5])$/.exec(code) ?? [];
    if (digit && key !== digit && !ACTIONS.some(([, , keys]) => keys.includes(key))) return `Rate ${digit}`;
    const letter = key.length === 1 ? key.toLowerCase() : key;
    return shiftKey && (key.startsWith("Arrow") || /^\p{L}$/u.test(letter)) ? `Shift+${letter}` : letter;
  }

  function typing(event) {
    if (event.key !== "Escape") return;
    // The first Escape leaves the field, the next one the dialog.
    event.preventDefault();
    event.target.blur();
    event.target.closest("dialog")?.focus();
  }

  /** Whether an action makes sense where the reader is: in the sheet, an open run, the comparison or the grid. */
  function works(where, key) {
    if (sheet().open) return key === "?";
    if (document.getElementById("ratings").open) return false;
    if (where === "always") return true;
    if (store.state.pairs || where === "pairs") return store.state.pairs && where === "pairs";
    if (where === "page") return true;
    if (where === "judge") return store.state.mode !== "words" || Boolean(store.state.open);
    if (where === "sides") return Boolean(store.state.mode) && store.state.mode !== "words" && !store.state.open;
    if (store.state.open) return where === "run" || where === "open";
    return store.state.mode ? where === "compare" : where !== "open";
  }

  /** On some keyboards signs are typed by AltGr, which is told as Ctrl and Alt. */
  const isCommand = (event) =>
    (event.ctrlKey || event.metaKey || event.altKey) && !event.getModifierState("AltGraph");

  function onKey(event) {
    if (event.defaultPrevented || event.isComposing || isCommand(event)) return;
    const target = event.target instanceof Element ? event.target : document.body;
    if (isTyping(target)) return typing(event);
    const key = name(event);
    const action = isTaken(target, key) ? null : found(key);
    if (!action) return;
    event.preventDefault();
    action(key);
  }

  /** What a key does in words; the tags are the rater's own. */
  function meaning(told, what) {
    if (told !== "Shift + letter") return what;
    return `tag: ${tags.keys().filter(({ letter }) => letter).map(({ tag, letter }) => `${letter.toUpperCase()} ${tag}`).join(", ")}`;
  }

  function draw() {
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
            dom.make("dd", { dir: "auto" }, meaning(told, what)),
          ]),
        ),
      );
    sheet().replaceChildren(
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
