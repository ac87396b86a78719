/** The scoreboard: how the values of a parameter stand by what was judged, and the winner for each prompt. */
const scoreboard = (() => {
  const MOST_ROWS = 200;
  const SEED = 0;
  let shown = null; // what the view was made of, so that nothing is counted twice
  let timer = 0;

  const container = () => document.getElementById("scores");
  const number = (value, digits = 2) => (value === null ? "–" : value.toFixed(digits).replace("-", "−"));

  function head(parameter, found) {
    const select = dom.make(
      "select",
      { id: "scores-by", onchange: (event) => store.set({ rank: event.target.value }) },
      ...parameters.all().map(({ key, name }) => dom.make("option", { value: key, selected: key === parameter.key }, name)),
    );
    const pairs = dom.button("Judge pairs", "Judge blind pairs (P)", () => pairing.open(), { class: "primary" });
    return dom.make(
      "div",
      { class: "plot-bar" },
      dom.make("label", { for: "scores-by" }, "By"),
      select,
      dom.make("span", { class: "muted" }, told(found)),
      pairs,
    );
  }

  function told({ games, bothBad, within, raters, ratingAlpha, pairAlpha }) {
    const counts = [
      [games, "comparisons"],
      [bothBad, "times both bad"],
      [within, "comparisons within one value"],
    ];
    const runs = store.data.cells.length;
    const found = [`of all ${runs.toLocaleString("en-US")} runs`, ...counts.filter(([count]) => count).map(([count, words]) => `${count} ${words}`)];
    if (raters.length) found.push(`by ${raters.slice(0, 4).join(", ")}${raters.length > 4 ? ` and ${raters.length - 4} more` : ""}`);
    const alphas = [ratingAlpha === null ? null : `${number(ratingAlpha)} in ratings`, pairAlpha === null ? null : `${number(pairAlpha)} in choices`].filter(Boolean);
    if (alphas.length) found.push(`agreement of raters ${alphas.join(", ")} (1 always, 0 as by chance)`);
    return found.join(" · ");
  }

  /** Strengths as a point on its interval, all on one scale. */
  function chart(strengths) {
    const least = Math.min(0, ...strengths.map(({ low, value }) => low ?? value));
    const most = Math.max(0, ...strengths.map(({ high, value }) => high ?? value));
    const room = most - least || 1;
    const x = (value) => 4 + (152 * (value - least)) / room;
    return ({ value, low, high }) =>
      icon.svg(
        "svg",
        { viewBox: "0 0 160 16", class: "interval", "aria-hidden": "true" },
        icon.svg("line", { class: "rule", x1: x(0), x2: x(0), y1: 0, y2: 16 }),
        icon.svg("line", { class: "range", x1: x(low ?? value), x2: x(high ?? value), y1: 8, y2: 8 }),
        icon.svg("circle", { class: "value", cx: x(value), cy: 8, r: 4 }),
      );
  }

  const COLUMNS = ["strength", "95 % interval", "won – lost", "ties", "both bad", "mean rating", "kept", "cost per kept", "latency per kept"];

  function table(parameter, rows) {
    const draw = chart(rows.map((row) => row.strength).filter(Boolean));
    const cell = (...content) => dom.make("td", {}, ...content);
    const body = rows.slice(0, MOST_ROWS).map((row) => {
      const { strength: own } = row;
      const interval = own && own.low !== null ? `${number(own.low)} to ${number(own.high)}` : "–";
      return dom.make(
        "tr",
        {},
        dom.make("th", { scope: "row", dir: "auto" }, tile.clip(row.value, 120)),
        dom.make("td", { class: "figure" }, own ? draw(own) : null, own ? number(own.value) : "–"),
        cell(interval),
        cell(row.wins + row.losses ? `${row.wins} – ${row.losses}` : "–"),
        cell(row.ties),
        cell(row.bothBad),
        cell(row.mean === null ? "–" : `${number(row.mean, 1)} of ${row.ratings}`),
        cell(`${row.kept} of ${row.files}`),
        cell(data.usd(row.usdPerKept ?? NaN)),
        cell(data.seconds(row.secondsPerKept ?? NaN)),
      );
    });
    const heads = [parameter.name, ...COLUMNS].map((name) => dom.make("th", { scope: "col" }, name));
    return scroller("Scoreboard", dom.make("table", {}, dom.make("thead", {}, dom.make("tr", {}, ...heads)), dom.make("tbody", {}, ...body)));
  }

  const scroller = (label, ...content) => dom.make("div", { class: "scroller", tabindex: 0, role: "group", "aria-label": label }, ...content);

  function winners(parameter, list) {
    if (!list.length) return null;
    const open = ({ cell, file }) => {
      const at = Math.max(0, ratings.files(cell).indexOf(file));
      const words = [parameter.of(cell), `run ${tile.name(cell)}`, cell.media.length > 1 ? `file ${at + 1}` : null];
      return dom.make("button", { type: "button", class: "way", onclick: () => show(cell, at) }, words.filter(Boolean).join(" · "));
    };
    const body = list.slice(0, MOST_ROWS).map(({ prompt, files }) =>
      dom.make("tr", {}, dom.make("th", { scope: "row", dir: "auto" }, tile.clip(prompt, 300)), dom.make("td", {}, ...files.slice(0, 4).map(open))),
    );
    const heads = ["Prompt", "Winner"].map((name) => dom.make("th", { scope: "col" }, name));
    const left = list.length - body.length;
    return dom.make(
      "figure",
      {},
      dom.make("figcaption", {}, "Winner for each prompt"),
      scroller("Winners", dom.make("table", {}, dom.make("thead", {}, dom.make("tr", {}, ...heads)), dom.make("tbody", {}, ...body))),
      left > 0 ? dom.make("p", { class: "muted" }, `and ${left} prompts more`) : null,
    );
  }

  function show(cell, at) {
    detail.open(cell.id);
    if (at) detail.file(at);
  }

  function nothing() {
    return dom.make(
      "div",
      { class: "nothing" },
      dom.make("p", {}, "Nothing is judged yet. Compare two files at a time without their names, or rate files in the grid."),
      dom.button("Judge pairs", "Judge blind pairs (P)", () => pairing.open(), { class: "primary" }),
    );
  }

  const isJudged = ({ raters }) => raters.length > 0;

  function render() {
    clearTimeout(timer);
    const { state } = store;
    container().hidden = state.view !== "scores";
    if (container().hidden) {
      shown = null;
      return;
    }
    const parameter = parameters.chosen(state.rank) ?? { key: "", name: "all runs", of: () => "all runs" };
    const found = standings.of(parameter, SEED);
    const wanted = JSON.stringify([parameter.key, found.rows.map(({ cells: _, ...row }) => row), found.winners.map(({ files }) => files.map(({ cell, file }) => [cell.id, file]))]);
    if (wanted === shown) return;
    shown = wanted;
    const focused = document.activeElement?.id;
    container().replaceChildren(
      ...(isJudged(found)
        ? [
            head(parameter, found),
            dom.make("figure", {}, table(parameter, found.rows), ...found.remarks.map((text) => dom.make("p", { class: "muted", dir: "auto" }, text))),
            winners(parameter, found.winners),
          ]
        : [nothing()]
      ).filter(Boolean),
    );
    if (focused === "scores-by") document.getElementById("scores-by")?.focus();
  }

  function later() {
    clearTimeout(timer);
    if (store.state.view === "scores") timer = setTimeout(render, 100);
  }

  /** Counts anew whenever something is judged. */
  function start() {
    store.on((changed) => {
      if (["view", "rank", "data"].some((key) => changed.has(key))) render();
    });
    ratings.on(later);
    render();
  }

  return { start };
})();
