/** What differs between two to four runs in words: their prompts, what was set, and what came of them. */
const difference = (() => {
  // What a model's own file says of it: nobody who compares runs has set it.
  const CATALOGUE = /^model\.(?!(name|deployment|validation)$)/;

  const letter = (index) => "ABCD"[index];

  /** One text as it differs from another, struck through and underlined for those who tell no colours apart. */
  function changes(one, other, tag = "p") {
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
        : changes(first.prompt, cell.prompt),
    ]);
  }

  const text = (value) => (value === undefined ? "–" : typeof value === "string" ? value : JSON.stringify(value));

  /** Whether a leaf of the config was chosen for the runs; a value of the model's own file is, where it was overridden. */
  const isChosen = (key) => key !== "request.prompt" && (!CATALOGUE.test(key) || store.data.axes.some((axis) => axis.key === key));

  /** The chosen leaves that are not equal in all, then what came of them: [name, one text a cell]. */
  function rows(cells) {
    const keys = [...new Set(cells.flatMap((cell) => Object.keys(cell.own)))].filter(isChosen);
    const leaves = keys.map((key) => [key, cells.map((cell) => text(cell.own[key]))]);
    const size = (cell) => data.bytes((data.media(cell) || {}).bytes);
    const outcome = [
      ["state", cells.map((cell) => tile.WORDS[cell.group] ?? cell.status)],
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
    if (value !== first && isProse(value) && isProse(first)) return changes(first, value, "td");
    return dom.make("td", { dir: "auto" }, value);
  }

  function table(cells) {
    const found = rows(cells);
    if (!found.length) return dom.make("p", { class: "muted" }, "What was set and what came of it are the same.");
    const head = dom.make(
      "tr",
      {},
      dom.make("th", { scope: "col" }, "What differs"),
      ...cells.map((cell, index) => dom.make("th", { scope: "col" }, `${letter(index)}  ${tile.name(cell)}`)),
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

  function make(cells) {
    return dom.make(
      "div",
      { class: "compare-words", tabindex: 0, role: "group", "aria-label": "Differences in words" },
      ...prompts(cells),
      dom.make("h3", {}, "What was set, and what came of it"),
      table(cells),
    );
  }

  return { make };
})();
