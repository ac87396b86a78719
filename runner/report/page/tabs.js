/** The tabs of one axis, and how many runs are seen of how many, with a way to the others. */
const tabs = (() => {
  let built = "";
  let told = "";

  const bar = () => document.getElementById("tabs");

  /** Say what is shown; what says the same already stays, with its focus. */
  function show() {
    const axis = data.axis(store.state.tab);
    const counts = axis && isFiltered() ? part.byTab() : null;
    const slots = axis ? axes.slots(store.data, axis.key) : [];
    const wanted = JSON.stringify([store.state.tab, store.state.at, slots.length, counts]);
    if (wanted !== built) build(axis, slots, counts);
    built = wanted;
    account();
  }

  const isFiltered = () => data.shown().length < store.data.cells.length;

  function build(axis, slots, counts) {
    const focused = bar().contains(document.activeElement);
    bar().hidden = !axis;
    document.getElementById("tab-axis").textContent = axis ? `${axes.title(axis)}:` : "";
    bar().setAttribute("aria-label", axis ? axes.title(axis) : "");
    const texts = shorten.apart(slots.map(({ text }) => text), 36);
    bar().replaceChildren(...slots.map((slot, at) => tab(slot, texts[at], at, counts?.[at])));
    const chosen = bar().children[store.state.at];
    dom.set(document.getElementById("panel"), { role: axis ? "tabpanel" : null, "aria-labelledby": axis ? `tab-${store.state.at}` : null });
    chosen?.scrollIntoView({ block: "nearest", inline: "nearest" });
    if (focused) chosen?.focus();
  }

  function tab(value, text, at, count) {
    const chosen = at === store.state.at;
    const found = count === undefined ? null : dom.make("small", { class: "tab-count" }, String(count));
    return dom.make("button", {
      type: "button", role: "tab", id: `tab-${at}`, "aria-selected": String(chosen), tabindex: chosen ? 0 : -1, dir: "auto",
      title: tile.clip(axes.line(value), 500), onclick: () => choose(at), onkeydown: move,
    }, text, found);
  }

  function choose(at) {
    const last = axes.slots(store.data, store.state.tab).length - 1;
    store.set({ at: Math.min(Math.max(0, at), last) });
    document.getElementById(`tab-${store.state.at}`)?.focus();
  }

  function move(event) {
    const steps = { ArrowLeft: store.state.at - 1, ArrowRight: store.state.at + 1, Home: 0, End: Infinity };
    if (!(event.key in steps)) return;
    event.preventDefault();
    event.stopPropagation();
    choose(steps[event.key]);
  }

  /** How many runs are seen of how many, and for each reason why others are not, a button that leads to them. */
  function account() {
    const { all, seen, filtered, fixed, elsewhere } = part.account();
    const made = data.shown().reduce((sum, cell) => sum + files.of(cell).length, 0);
    const wanted = JSON.stringify([made, all, seen, filtered, fixed, elsewhere]);
    if (wanted === told) return;
    told = wanted;
    const count = (number) => number.toLocaleString("en-US");
    const way = (number, text, label, onclick) =>
      (number ? dom.make("button", { type: "button", class: "way", title: label, onclick }, `${count(number)} ${text}`) : null);
    const place = document.getElementById("account");
    const focused = place.contains(document.activeElement);
    const runs = all === 1 ? "run" : "runs";
    place.replaceChildren(...[
      seen === all
        ? dom.make("output", { class: "found" }, [`${count(all)} ${runs}`, made > all ? `${count(made)} files` : null].filter(Boolean).join(", "))
        : dom.make("output", { class: "found" }, `${count(seen)} of ${count(all)}`, dom.make("small", {}, ` ${runs} shown:`)),
      way(elsewhere, "in other tabs", "Go to the next tab with such runs", part.toNextTab),
      way(fixed, "of other fixed values", "Show the runs of all values", () => store.set({ fixed: {} })),
      way(filtered, "filtered out", "Show the runs that the filter leaves out", () => toolbar.clear()),
    ].filter(Boolean));
    if (focused) (place.querySelector("button") ?? bar().querySelector("[tabindex='0']"))?.focus();
  }

  return { show };
})();
