/** Which view of the runs is shown, and the way back to the list that `runner view` serves. */
const views = (() => {
  // [name in the state, name to read, key]
  const ALL = [["grid", "Grid", null], ["plot", "Plot", "G"], ["scores", "Scoreboard", "Shift+G"]];

  /** Shows a view, or the grid again where it is shown already. */
  const toggle = (name) => store.set({ view: store.state.view === name ? "grid" : name });

  function start() {
    const place = document.getElementById("views");
    const buttons = ALL.map(([name, text, key]) =>
      dom.button(text, text, () => store.set({ view: name }), { title: key ? `${text} (${key})` : text, "aria-keyshortcuts": key, "data-view": name }));
    place.append(...buttons);
    const show = () => buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.view === store.state.view)));
    store.on((changed) => {
      if (changed.has("view")) show();
    });
    show();
    const list = store.data.ratings?.list;
    if (list) place.before(dom.make("a", { class: "back", href: list, title: "All sweeps and runs that are served" }, icon.draw("left"), "Sweeps"));
  }

  return { start, toggle };
})();
