/** All that is known of one cell, as lists, tables and texts with buttons that copy them. */
const facts = (() => {
  const isThere = (value) => value !== null && value !== undefined && value !== "";

  const time = (text) => dom.make("time", { datetime: text, title: text }, new Date(text).toLocaleString());

  function copyable(text, what) {
    return dom.make(
      "span",
      { class: "copyable" },
      dom.make("code", {}, text),
      icon.button("copy", `Copy ${what}`, () => dom.copy(text, what)),
    );
  }

  /** A description list of [name, text or node]; what is not there is left out. */
  function list(pairs) {
    const rows = pairs.filter(([, value]) => isThere(value));
    return dom.make(
      "dl",
      { class: "facts-list" },
      ...rows.flatMap(([name, value]) => [dom.make("dt", {}, name), dom.make("dd", { dir: "auto" }, value)]),
    );
  }

  function section(title, ...content) {
    return dom.make("section", {}, dom.make("h3", {}, title), ...content);
  }

  const usd = (value) => (isThere(value) ? data.usd(value) : null);
  const percent = (value) => (isThere(value) ? `${value} %` : null);
  const seconds = (value) => (isThere(value) ? data.seconds(value) : null);

  /** What became of it: status, money and time. */
  function outcome(cell) {
    return section(
      "Outcome",
      list([
        ["Status", [cell.status, cell.remote_status, percent(cell.progress)].filter(isThere).join(" · ")],
        ["Why", cell.reason],
        ["What to do", cell.hint],
        ["Estimated cost", usd(cell.estimated_usd)],
        ["Actual cost", usd(cell.actual_usd)],
        ["Counted as spent", usd(cell.spent_usd)],
        ["Saved by reuse", usd(cell.saved_usd)],
        ["Reused from", cell.reused_from],
        ["Latency", seconds(cell.latency_seconds)],
        ["Attempts", `${cell.attempts}${cell.retries ? `, ${cell.retries} of them retries` : ""}`],
        ["Polls", cell.polls],
        ...cell.warnings.map((warning) => ["Warning", warning]),
      ]),
    );
  }

  /** Who made it, and where it lies. */
  function origin(cell) {
    const folder = dom.make(
      "a",
      { href: `${cell.directory}/`, target: "_blank", rel: "noopener" },
      picture.decoded(cell.directory),
    );
    return section(
      "Origin",
      list([
        ["Row", row(cell)],
        ["Provider", cell.provider],
        ["Model", cell.model],
        ["Deployment", cell.deployment],
        ["Job", isThere(cell.job_id) ? copyable(cell.job_id, "the job's id") : null],
        ["Directory", folder],
        ...Object.entries(cell.times).map(([name, text]) => [`${name[0].toUpperCase()}${name.slice(1)}`, time(text)]),
      ]),
    );
  }

  /** What the row of a table is called that the run was made by, and where it stands. */
  function row(cell) {
    const [id, table, line] = ["id", "table", "line"].map((name) => leaf(cell, `run.${name}`));
    if (!isThere(id)) return null;
    return [id, [isThere(line) ? `line ${line}` : null, table].filter(isThere).join(" of ")].filter(isThere).join(", ");
  }

  const leaf = (cell, key) => cell.own[key] ?? store.data.shared[key];

  /** What a file holds. */
  function file(media) {
    const size = isThere(media.width) ? `${media.width} × ${media.height}` : null;
    const name = picture.decoded(media.path.startsWith("data:") ? "embedded in this page" : media.path.split("/").pop());
    const rate = isThere(media.fps) ? `${Number(media.fps.toFixed(3))} frames/s` : null;
    return section(
      name,
      list([
        ["Type", media.type],
        ["Size", [size, data.bytes(media.bytes)].filter(Boolean).join(" · ")],
        ["Duration", isThere(media.seconds) ? [data.seconds(media.seconds), rate].filter(Boolean).join(" · ") : null],
        ["Codecs", [media.video_codec, media.audio_codec].filter(Boolean).join(" + ")],
        ["File", picture.link(media, "Download")],
        ["SHA-256", isThere(media.sha256) ? copyable(media.sha256, "the SHA-256") : null],
        ["Revised prompt", media.revised_prompt],
      ]),
    );
  }

  function recipe(title, make, what) {
    const code = dom.make("pre", { tabindex: 0 });
    const details = dom.make("details", {}, dom.make("summary", {}, title), code);
    details.addEventListener("toggle", () => {
      code.textContent = details.open ? make() : "";
    });
    return dom.make(
      "div",
      { class: "recipe" },
      details,
      icon.button("copy", `Copy ${what}`, () => dom.copy(make(), what)),
    );
  }

  /** How it is made again: commands, YAML, Python. */
  function again(cell) {
    return section(
      "Again",
      isThere(cell.continue) ? dom.make("p", { class: "muted" }, "Goes on with:") : null,
      isThere(cell.continue) ? dom.command(cell.continue, "the command that continues") : null,
      isThere(cell.repeat) ? dom.make("p", { class: "muted" }, "Makes it again:") : null,
      isThere(cell.repeat) ? dom.command(cell.repeat, "the command that repeats it") : null,
      ...written(cell),
    );
  }

  /** The config to keep, unless it would be another's. */
  function written(cell) {
    const flaw = recipes.flaw(cell);
    if (flaw) return [dom.make("p", { class: "muted", dir: "auto" }, `No YAML, no Python: ${flaw}.`)];
    return [
      recipe("YAML", () => recipes.yaml(cell), "the YAML"),
      recipe("Python", () => recipes.python(cell), "the Python"),
    ];
  }

  /** The config's leaves; those that only this cell has stand first. */
  function config(cell) {
    const row = (key, value, own) =>
      dom.make(
        "tr",
        { class: own ? "own" : null },
        dom.make("th", { scope: "row" }, key),
        dom.make("td", { dir: "auto" }, typeof value === "string" ? value : JSON.stringify(value)),
      );
    const body = dom.make("tbody");
    const details = dom.make(
      "details",
      { class: "config" },
      dom.make("summary", {}, "Config"),
      dom.make("div", { class: "scroller" }, dom.make("table", {}, body)),
    );
    details.addEventListener("toggle", () => {
      if (body.childElementCount) return;
      for (const [key, value] of Object.entries(cell.own)) body.append(row(key, value, true));
      for (const [key, value] of Object.entries(store.data.shared)) body.append(row(key, value, false));
    });
    return details;
  }

  /** The prompt in full. */
  function prompt(cell) {
    return section(
      "Prompt",
      dom.make("p", { class: "prompt", dir: "auto", tabindex: 0 }, cell.prompt),
      icon.button("copy", "Copy the prompt", () => dom.copy(cell.prompt, "the prompt")),
    );
  }

  return { prompt, outcome, file, again, origin, config };
})();
