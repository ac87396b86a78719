/** Axes, tabs, filter, order, size and theme: everything that chooses what the grid shows. */
const toolbar = (() => {
  const THEMES = { auto: "Theme: as the system", dark: "Theme: dark", light: "Theme: light" };
  let fields = {};
  let built = "";
  let tabbed = "";

  function start() {
    theme(kept());
    unfold();
    build();
    store.on((changed) => {
      if (["data", "x", "y", "tab", "fixed"].some((key) => changed.has(key))) build();
      else show();
    });
    ratings.on(build);
    tags.on(build);
    // Of another window.
    addEventListener("storage", ({ key }) => {
      if (key === "gallery-theme") theme(kept());
    });
  }

  /** Where there is no room for them, most controls are folded away behind one button. */
  function unfold() {
    const button = document.getElementById("unfold");
    button.addEventListener("click", () => {
      const open = document.getElementById("head").classList.toggle("unfolded");
      button.setAttribute("aria-expanded", String(open));
    });
  }

  /** Make the controls anew where axes came or went: a refresh must not close a list that is open. */
  function build() {
    const lengths = store.data.axes.map((axis) => [axis.key, axis.values.length]);
    const places = axes.others(store.data, store.state).map((axis) => axis.key);
    const lists = [data.groups().map(([name]) => name), data.sorts(), judged.choices()];
    const wanted = JSON.stringify([lengths, places, lists]);
    if (wanted !== built) rebuild();
    built = wanted;
    show();
  }

  function rebuild() {
    const focused = document.activeElement?.closest("#head [name]")?.name;
    const typed = fields.find;
    fields = {};
    document.getElementById("toolbar").replaceChildren(...[places(), filter(typed), look()].filter(Boolean));
    document.getElementById("fixed").replaceChildren(...fixed());
    if (focused) document.querySelector(`#head [name="${CSS.escape(focused)}"]`)?.focus();
  }

  const group = (label, ...children) => dom.make("div", { class: "tools", role: "group", "aria-label": label }, ...children);
  const labelled = (text, control) => dom.make("label", {}, dom.make("span", {}, text), control);
  const option = (value, text) => dom.make("option", { value }, tile.clip(text, 60));

  function select(name, choices, onchange) {
    fields[name] = dom.make("select", { name, onchange: (event) => onchange(event.target.value) },
      ...choices.map(([value, text]) => option(value, text)));
    return fields[name];
  }

  /** Which axis goes where. */
  function places() {
    const varying = axes.varying(store.data);
    if (!varying.length) return null;
    const names = [["", "none"], ...varying.map((axis) => [axis.key, axes.title(axis)])];
    return group("Axes",
      labelled("across", select("x", names, (key) => arrange("x", key))),
      icon.button("swap", "Swap the axes (r)", swap, { name: "swap" }),
      labelled("down", select("y", names, (key) => arrange("y", key))),
      labelled("tabs", select("tab", names, (key) => arrange("tab", key))));
  }

  /** A select for each axis that has no place of its own: all of its values stand together, or one is fixed. */
  function fixed() {
    return axes.others(store.data, store.state).map((axis) => {
      const slots = axes.slots(store.data, axis.key);
      const texts = shorten.apart(slots.map(axes.line), 60);
      const choices = [["-1", "all"], ...texts.map((text, at) => [at, text])];
      return labelled(axes.title(axis), select(`fixed.${axis.key}`, choices, (value) => fix(axis.key, Number(value))));
    });
  }

  /** Put an axis into a place; what stood there goes where the axis came from. */
  function arrange(place, key) {
    const from = ["x", "y", "tab"].find((one) => one !== place && key && store.state[one] === key);
    const { [key]: _, ...fixed } = store.state.fixed;
    const traded = from ? { [from]: store.state[place] } : {};
    store.set({ [place]: key, fixed, ...traded, ...([place, from].includes("tab") ? { at: 0 } : {}) });
  }

  function fix(key, index) {
    const { [key]: _, ...rest } = store.state.fixed;
    store.set({ fixed: index < 0 ? rest : { ...rest, [key]: index } });
  }

  /** Let columns be rows, and rows columns. */
  function swap() {
    store.set({ x: store.state.y, y: store.state.x });
    dom.say("Axes swapped");
  }

  function filter(typed) {
    fields.find = typed ?? dom.make("input", {
      type: "search", name: "find", placeholder: "Find", "aria-label": "Find in prompts and parameters", autocomplete: "off",
      spellcheck: "false", oninput: (event) => store.set({ find: event.target.value }),
    });
    fields.chips = data.groups().map(([name]) => chip(name));
    fields.starred = flag("starred", "★", "Show only starred runs");
    fields.unrejected = flag("unrejected", "⊘", "Hide rejected runs");
    const judgements = select("judged", judged.choices(), (value) => store.set({ judged: value }));
    dom.set(judgements, { "aria-label": "Show only files judged so", title: "Show only files judged so" });
    const chips = fields.chips.length > 1 ? fields.chips : [];
    return group("Filter", fields.find, ...chips, fields.starred, fields.unrejected, judgements);
  }

  function chip(name) {
    const more = { class: "chip", name: `group.${name}`, "data-group": name };
    const made = dom.button("", `${tile.WORDS[name]}: show only these`, () => toggle(name), more);
    made.append(dom.make("i", { "aria-hidden": "true" }, tile.SIGNS[name]), dom.make("span", { class: "word" }), dom.make("span"));
    return made;
  }

  function flag(name, text, label) {
    return dom.button(text, label, () => store.set({ [name]: !store.state[name] }), { class: "chip", name });
  }

  function toggle(name) {
    const { groups } = store.state;
    store.set({ groups: groups.includes(name) ? groups.filter((one) => one !== name) : [...groups, name] });
  }

  /** Show every run again. */
  function clear() {
    store.set({ find: "", groups: [], starred: false, unrejected: false, judged: "" });
  }

  function look() {
    const { least: min, most: max } = store.SIZES;
    const range = { type: "range", name: "size", min, max, step: 20, "aria-label": "Size of a cell in pixels" };
    fields.size = dom.make("input", { ...range, oninput: (event) => store.set({ size: Number(event.target.value) }) });
    fields.fit = dom.button("Fit", "Let cells fit the window", () => store.set({ size: 0 }), { name: "fit" });
    fields.theme = dom.button("", "", () => theme(next(kept())), { name: "theme", class: "icon-button" });
    theme(kept());
    const sizes = dom.make("span", { class: "sizes" }, labelled("size", fields.size), fields.fit);
    return group("Look", labelled("sort by", select("sort", data.sorts(), (sort) => store.set({ sort }))), sizes, fields.theme);
  }

  /** Let the controls say what is chosen. */
  function show() {
    const { state } = store;
    for (const name of ["x", "y", "tab", "sort", "judged"]) if (fields[name]) fields[name].value = state[name];
    fields.size.value = state.size || grid.tile;
    fields.fit.setAttribute("aria-pressed", String(state.size === 0));
    for (const axis of axes.others(store.data, state)) fields[`fixed.${axis.key}`].value = state.fixed[axis.key] ?? -1;
    if (fields.find.value !== state.find) fields.find.value = state.find;
    const counts = new Map(data.groups());
    for (const one of fields.chips) {
      const { group: name } = one.dataset;
      one.setAttribute("aria-pressed", String(state.groups.includes(name)));
      const [, word, count] = one.children;
      word.textContent = ` ${tile.WORDS[name]}`;
      count.textContent = ` ${counts.get(name)}`;
    }
    for (const name of ["starred", "unrejected"]) fields[name].setAttribute("aria-pressed", String(state[name]));
    tabs.show();
  }

  function kept() {
    try {
      return localStorage.getItem("gallery-theme") in THEMES ? localStorage.getItem("gallery-theme") : "auto";
    } catch {
      return document.documentElement.dataset.theme ?? "auto"; // a browser that keeps nothing for this page
    }
  }

  const next = (name) => ({ auto: "dark", dark: "light", light: "auto" })[name];

  function theme(name) {
    document.documentElement.dataset.theme = name;
    try {
      localStorage.setItem("gallery-theme", name);
    } catch {
      dom.say("This browser keeps no settings for this page.");
    }
    if (!fields.theme) return;
    fields.theme.replaceChildren({ auto: "◐", dark: "●", light: "○" }[name]);
    dom.set(fields.theme, { "aria-label": THEMES[name], title: THEMES[name] });
  }

  return { start, show, clear, swap };
})();
