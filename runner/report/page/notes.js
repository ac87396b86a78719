/**
 * Stars, rejections and words about cells, kept by this browser for each run, whatever page shows it; the files of a
 * sweep are never changed. They travel as JSON.
 */
const notes = (() => {
  const NOTHING = Object.freeze({ star: false, reject: false, text: "" });
  const LONGEST = 20000;
  const listeners = new Set();
  const PREFIX = "runner.note:";
  const kept = new Map();
  let lasting = true;

  const clean = (note) =>
    Object.freeze({
      star: note.star === true,
      reject: note.reject === true && note.star !== true,
      text: typeof note.text === "string" ? note.text.slice(0, LONGEST) : "",
    });

  const isNothing = (note) => !note.star && !note.reject && !note.text;

  /** What the browser keeps of a key; nothing where it keeps nothing, or not for this page. */
  function read(key) {
    try {
      return clean(JSON.parse(localStorage.getItem(PREFIX + key)) ?? NOTHING);
    } catch {
      return NOTHING;
    }
  }

  function put(key, note) {
    kept.set(key, note);
    try {
      if (isNothing(note)) localStorage.removeItem(PREFIX + key);
      else localStorage.setItem(PREFIX + key, JSON.stringify(note));
      lasting = true;
    } catch {
      lasting = false;
    }
  }

  const warning = () => (lasting ? "" : "; this browser keeps no notes for this page: export them before you leave");

  const tell = () => listeners.forEach((listener) => listener());

  /** What was noted of a cell: {star, reject, text}. */
  function get(cell) {
    if (!kept.has(cell.key)) kept.set(cell.key, read(cell.key));
    return kept.get(cell.key);
  }

  function change(cell, patch) {
    put(cell.key, clean({ ...get(cell), ...patch }));
    tell();
  }

  /** Turns "star" or "reject" on or off; each takes the other's place. */
  function toggle(cell, what) {
    const on = !get(cell)[what];
    const other = what === "star" ? "reject" : "star";
    change(cell, { [what]: on, ...(on ? { [other]: false } : {}) });
    dom.say(`Run ${cell.number}: ${on ? "" : "no longer "}${what === "star" ? "starred" : "rejected"}${warning()}`);
  }

  /** Sets a cell's words. */
  function write(cell, text) {
    const before = warning();
    change(cell, { text });
    if (warning() && !before) dom.say(`Noted${warning()}`);
  }

  /** All notes as they are exported, in the order of the page's cells. */
  function exported() {
    const noted = store.data.cells.filter((cell) => !isNothing(get(cell)));
    const list = noted.map((cell) => ({ key: cell.key, id: cell.id, label: cell.label, ...get(cell) }));
    return { version: 1, title: store.data.title, exported_at: new Date().toISOString(), notes: list };
  }

  /** Hands the notes over as a file. */
  function download() {
    const address = URL.createObjectURL(new Blob([JSON.stringify(exported(), null, 2)], { type: "application/json" }));
    const link = dom.make("a", { href: address, download: "notes.json", hidden: true });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
    dom.say(`Exported the notes of ${exported().notes.length} runs`);
  }

  /** Takes over exported notes; what they say of a cell replaces what was said. Throws for what is no such file. */
  function merge(text) {
    const given = JSON.parse(text);
    if (given?.version !== 1 || !Array.isArray(given.notes)) throw new TypeError("no exported notes");
    const known = new Set(store.data.cells.map((cell) => cell.key));
    const fitting = given.notes.filter((note) => known.has(note?.key));
    for (const note of fitting) put(note.key, clean(note));
    tell();
    return { taken: fitting.length, strange: given.notes.length - fitting.length };
  }

  async function take(file) {
    try {
      const { taken, strange } = merge(await file.text());
      dom.say(`Imported the notes of ${taken} runs${strange ? `; ${strange} are of runs that are not here` : ""}`);
    } catch {
      dom.say(`${file.name} holds no notes of this page: choose a file made by “Export notes”.`);
    }
  }

  function controls() {
    const input = dom.make("input", {
      type: "file",
      accept: ".json,application/json",
      hidden: true,
      "aria-label": "Notes to import",
      id: "notes-file",
    });
    input.addEventListener("change", () => {
      if (input.files[0]) take(input.files[0]);
      input.value = "";
    });
    return [
      icon.button("save", "Export notes", download, { id: "notes-export" }),
      icon.button("load", "Import notes", () => input.click(), { id: "notes-import" }),
      input,
    ];
  }

  /** Builds the controls, and hears of notes that are written in other windows. */
  function start() {
    document.getElementById("tools").append(...controls());
    addEventListener("storage", (event) => {
      if (event.key === null) kept.clear();
      else if (event.key.startsWith(PREFIX)) kept.delete(event.key.slice(PREFIX.length));
      else return;
      tell();
    });
    tell();
  }

  return { start, get, toggle, write, exported, download, merge, on: (listener) => listeners.add(listener) };
})();
