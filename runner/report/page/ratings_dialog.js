/** Who judges, and what becomes of the ratings: the rater's name, export and import. */
const ratingsDialog = (() => {
  const parts = {};
  const dialog = () => document.getElementById("ratings");

  function field() {
    parts.name = dom.make("input", {
      id: "rater",
      type: "text",
      maxlength: records.LONGEST.rater,
      autocomplete: "name",
      onchange: () => ratings.rename(parts.name.value),
    });
    return dom.make("p", { class: "field" }, dom.make("label", { for: "rater" }, "Your name, as rater"), parts.name);
  }

  function tagField() {
    parts.tags = dom.make("input", { id: "own-tags", type: "text", maxlength: 800, autocomplete: "off", onchange: () => tags.set(parts.tags.value.split(",")) });
    return dom.make("p", { class: "field" }, dom.make("label", { for: "own-tags" }, "Your tags, with commas between them"), parts.tags);
  }

  function frame() {
    if (parts.name) return;
    parts.state = dom.make("p", { class: "muted", role: "status" });
    const labelled = (name, label, onclick) => {
      const button = dom.make("button", { type: "button", onclick });
      button.append(icon.draw(name), label);
      return button;
    };
    dialog().append(
      dom.make("header", {}, dom.make("h2", {}, "Ratings"), icon.button("close", "Close", () => dialog().close())),
      dom.make(
        "div",
        { class: "ratings-body" },
        field(),
        tagField(),
        dom.make(
          "div",
          { class: "marks" },
          labelled("save", "Export ratings", () => exchange.download()),
          labelled("load", "Import ratings", () => exchange.choose()),
        ),
        parts.state,
      ),
    );
  }

  function show() {
    if (!parts.name) return;
    if (document.activeElement !== parts.name) parts.name.value = ratings.rater;
    if (document.activeElement !== parts.tags) parts.tags.value = tags.list().join(", ");
    const words = told();
    if (parts.state.textContent !== words) parts.state.textContent = words;
  }

  const judgements = (count) => `${count} judgement${count === 1 ? "" : "s"}`;

  /** Where what is judged is kept, and what waits to be sent. */
  function told() {
    if (!server.on) return "This browser keeps what you judge. The sweep's files stay as they are.";
    const waiting = server.unsent ? ` ${judgements(server.unsent)} wait in this browser.` : "";
    return `${server.gone ? "The server is gone." : "What you judge is kept in ratings.jsonl beside the sweep."}${waiting}`;
  }

  /** Says on the button that something was not sent yet. */
  function badge() {
    const waits = server.gone ? server.unsent : 0;
    const label = server.gone ? `Ratings: the server is gone; ${judgements(waits)} not sent` : "Ratings";
    dom.set(parts.button, { "aria-label": label, title: label, "data-unsent": server.gone ? String(waits) : null });
    show();
  }

  /** Opens it, or closes it. */
  function toggle() {
    if (dialog().open) return dialog().close();
    frame();
    show();
    dialog().showModal();
  }

  /** Builds the button that opens it. */
  function start() {
    parts.button = icon.button("person", "Ratings", toggle, { id: "ratings-button" });
    document.getElementById("tools").append(parts.button);
    ratings.on(show);
    tags.on(show);
    server.hear(badge);
  }

  return { start, toggle };
})();
