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

  function frame() {
    if (parts.name) return;
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
        dom.make(
          "div",
          { class: "marks" },
          labelled("save", "Export ratings", () => exchange.download()),
          labelled("load", "Import ratings", () => exchange.choose()),
        ),
        dom.make("p", { class: "muted" }, "This browser keeps what you judge. The sweep's files stay as they are."),
      ),
    );
  }

  function show() {
    if (!parts.name) return;
    if (document.activeElement !== parts.name) parts.name.value = ratings.rater;
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
    const button = icon.button("person", "Ratings", toggle, { id: "ratings-button" });
    document.getElementById("tools").append(button);
    ratings.on(show);
  }

  return { start, toggle };
})();
