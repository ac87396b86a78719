/**
 * What people think of files: a rating, tags, a star or a rejection, and words, for each file by each rater; and choices
 * between two files. Kept by this browser for each run, whatever page shows it; the files of a sweep are never changed.
 */
const ratings = (() => {
  const PREFIX = "runner.ratings:"; // then a run's key; a list of records
  const OLD = "runner.note:"; // then a run's key; {star, reject, text}, as older pages kept them
  const NAME = "runner.rater";
  const KEEPS = 4; // the mean rating from which on a file is kept
  const UNNAMED = /^rater-[0-9a-f]{4}$/;
  const listeners = new Set();
  const read = new Set(); // keys of runs that the browser was asked for
  const known = new Map(); // id → record
  const held = new Map(); // run → its records; a pair's run is that of its left file, an undo's that of what it undoes
  const counting = new Map(); // run → what of these counts, found when it is asked for
  let name = "";
  let lasting = true;

  const at = (map, key, make) => map.get(key) ?? map.set(key, make()).get(key);
  const tell = () => listeners.forEach((listener) => listener());

  /** What the browser keeps under a key; null where it keeps nothing, or not for this page. */
  function fetched(key) {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  }

  function put(key, value) {
    try {
      if (value === null) localStorage.removeItem(key);
      else localStorage.setItem(key, value);
      lasting = true;
    } catch {
      lasting = false;
    }
  }

  const warning = () => (lasting ? "" : "; this browser keeps nothing for this page: export the ratings before you leave");

  /** The name of a run's main file in its directory; "" for a run without a file. */
  const file = (cell) => data.media(cell)?.name ?? "";

  /** The names of all files that a run made; "" for a run without a file. */
  function files(cell) {
    const made = cell.media.filter(({ extra }) => !extra).map((media) => media.name ?? "");
    return made.length ? made : [""];
  }

  /** Takes a record in; false where it is known. */
  function index(record) {
    const run = home(record);
    if (known.has(record.id) || run === null) return false;
    known.set(record.id, record);
    at(held, run, () => []).push(record);
    counting.delete(run);
    return true;
  }

  /** The run that a record is kept with; null for what undoes something that is not here. */
  function home(record) {
    if (record.kind !== "undo") return record.run ?? record.left.run;
    return known.has(record.of) ? home(known.get(record.of)) : null;
  }

  const counted = (run) => at(counting, run, () => records.counted(held.get(run) ?? []));

  /** What is worth keeping of a run's records: not the ratings that a later one of the same rater replaces. */
  function of(run) {
    const { ratings: latest, gone } = counted(run);
    const isKept = (record) => record.kind !== "rating" || gone.has(record.id) || latest.get(record.file).get(record.rater) === record;
    return (held.get(run) ?? []).filter(isKept);
  }

  /** Takes what the browser keeps of a run by now: of what other pages keep, this one is told later. */
  const reread = (run) => take(fetched(PREFIX + run));

  function save(run) {
    reread(run);
    put(PREFIX + run, JSON.stringify(of(run)));
  }

  /** Reads what the browser keeps of a run, from whatever page; a page that is served has all from the server. */
  function load(cell) {
    if (server.on || read.has(cell.key)) return;
    read.add(cell.key);
    reread(cell.key);
    const old = fetched(OLD + cell.key);
    if (old === null) return;
    migrate(cell, old);
    put(OLD + cell.key, null);
  }

  function take(text) {
    try {
      for (const record of JSON.parse(text ?? "[]").map(records.read)) if (record) index(record);
    } catch {
      // What is no list of records was not written by such a page.
    }
  }

  function migrate(cell, text) {
    try {
      const { star, reject, text: note } = JSON.parse(text);
      const judgement = records.judgement({ star, reject, note });
      if (records.isNothing(judgement) || get(cell, file(cell)) !== records.NOTHING) return;
      index(records.make("rating", name, { run: cell.key, file: file(cell), ...judgement }));
      save(cell.key);
    } catch {
      // No note.
    }
  }

  const loadAll = () => store.data.cells.forEach(load);

  /** What the rater thinks of a file: {rating, tags, star, reject, note}. A run's main file has what was said of the run. */
  function get(cell, name_) {
    load(cell);
    if (!held.has(cell.key)) return records.NOTHING;
    const { ratings: latest } = counted(cell.key);
    const whole = name_ === file(cell) ? latest.get("")?.get(name) : null;
    return latest.get(name_)?.get(name) ?? whole ?? records.NOTHING;
  }

  /** The latest ratings of a file by all raters who think anything of it. */
  function all(cell, name_) {
    load(cell);
    if (!held.has(cell.key)) return [];
    const { ratings: latest } = counted(cell.key);
    const whole = name_ === file(cell) ? latest.get("") : null;
    const found = new Map([...(whole ?? []), ...(latest.get(name_) ?? [])]);
    return [...found.values()].filter((record) => !records.isNothing(record));
  }

  /** What all raters together think of a file: their mean rating or null, and whether it is kept. */
  function verdict(cell, name_) {
    const found = all(cell, name_);
    const numbers = found.map(({ rating }) => rating).filter(Boolean);
    const mean = numbers.length ? numbers.reduce((sum, number) => sum + number, 0) / numbers.length : null;
    const kept = !found.some(({ reject }) => reject) && (found.some(({ star }) => star) || (mean !== null && mean >= KEEPS));
    return { numbers, mean, kept, starred: found.some(({ star }) => star), rejected: found.some(({ reject }) => reject) };
  }

  /** The choices between two files of this page that were not taken back, by all raters, in the order of time. */
  function pairs() {
    loadAll();
    const runs = [...new Set(store.data.cells.map((cell) => cell.key))];
    const found = runs.flatMap((run) => (held.has(run) ? counted(run).pairs : []));
    return found.sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
  }

  /** Keeps a new record of one's own. */
  function add(record) {
    index(record);
    keep(record);
    tell();
  }

  /** Keeps a record where it lasts: with the server, else in this browser. */
  function keep(record) {
    if (!server.on) return save(home(record));
    const replaced = server.send(record);
    if (replaced) drop(replaced);
  }

  /** Forgets a record that was replaced before anybody else knew of it. */
  function drop(record) {
    const run = home(record);
    known.delete(record.id);
    held.set(run, held.get(run).filter(({ id }) => id !== record.id));
    counting.delete(run);
  }

  /** Takes records of runs on this page that came from the server, or were left to send; returns those that were new. */
  function receive(list) {
    const here = new Set(store.data.cells.map((cell) => cell.key));
    const found = list.filter((record) => isOf(record, here) && index(record));
    if (found.length) tell();
    return found;
  }

  /** Changes what the rater thinks of a file. */
  function change(cell, name_, patch) {
    if (!server.on) reread(cell.key);
    const judgement = records.judgement({ ...get(cell, name_), ...patch });
    const before = lasting;
    add(records.make("rating", name, { run: cell.key, file: name_, ...judgement }));
    if (before && !lasting) dom.say(`Noted${warning()}`);
  }

  const called = (cell, name_) => `Run ${cell.number}${cell.media.length > 1 && name_ ? `, ${name_}` : ""}`;

  /** Turns "star" or "reject" on or off; each takes the other's place. */
  function toggle(cell, name_, what) {
    const on = !get(cell, name_)[what];
    const other = what === "star" ? "reject" : "star";
    change(cell, name_, { [what]: on, ...(on ? { [other]: false } : {}) });
    const words = what === "star" ? "starred" : "rejected";
    dom.say(`${called(cell, name_)}: ${on ? "" : "no longer "}${words}${warning()}`);
  }

  /** Whether all files of a record are of the runs with these keys. */
  function isOf(record, here) {
    if (record.kind === "undo") return known.has(record.of);
    return record.kind === "pair" ? here.has(record.left.run) && here.has(record.right.run) : here.has(record.run);
  }

  /** Takes over records of runs on this page: how many were new, known already, and of other runs. */
  function merge(list) {
    loadAll();
    const here = new Set(store.data.cells.map((cell) => cell.key));
    const counts = { taken: 0, known: 0, strange: 0 };
    const changed = new Set();
    // What is undone comes before what undoes it.
    for (const record of [...list].sort((one, other) => (one.kind === "undo") - (other.kind === "undo"))) {
      if (!isOf(record, here)) counts.strange += 1;
      else if (!index(record)) counts.known += 1;
      else {
        counts.taken += 1;
        if (server.on) server.send(record);
        else changed.add(home(record));
      }
    }
    changed.forEach(save);
    tell();
    return counts;
  }

  /** All records that count, in the order of the page's cells. */
  function list() {
    loadAll();
    return [...new Set(store.data.cells.map((cell) => cell.key))].flatMap(of);
  }

  /** Changes the rater's name; what was judged before there was one is under the new name, too. */
  function rename(wanted) {
    const old = name;
    name = records.line(wanted, records.LONGEST.rater) || old;
    put(NAME, name);
    if (!server.on && UNNAMED.test(old) && name !== old) adopt(old);
    tell();
  }

  function adopt(old) {
    const named = (record) => (record.rater === old ? { ...record, rater: name } : record);
    for (const key of keys()) {
      try {
        put(key, JSON.stringify(JSON.parse(fetched(key)).map(named)));
      } catch {
        // What is no list of records was not written by such a page.
      }
    }
    const before = [...known.values()].map(named);
    forget();
    before.forEach(index);
  }

  function keys() {
    try {
      return Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));
    } catch {
      return [];
    }
  }

  function forget() {
    for (const each of [read, known, held, counting]) each.clear();
  }

  /** Nobody's name: unlike that of others whose records may come together with these. */
  const unnamed = () => `rater-${records.identify().slice(0, 4)}`;

  /** Hears of what is judged in other windows. */
  function listen(event) {
    if (event.key === null) forget();
    else if (event.key === NAME) name = event.newValue || name;
    else if (event.key.startsWith(PREFIX)) take(event.newValue);
    else return;
    tell();
  }

  function start() {
    const [kept, served] = [fetched(NAME), store.data.ratings?.rater];
    name = kept && !(served && UNNAMED.test(kept)) ? kept : served || unnamed();
    if (UNNAMED.test(name)) put(NAME, name);
    addEventListener("storage", listen);
    server.begin(receive);
    tell();
  }

  return {
    start,
    file,
    files,
    get,
    all,
    verdict,
    pairs,
    add,
    change,
    toggle,
    merge,
    records: list,
    rename,
    warning,
    called,
    get rater() {
      return name;
    },
    get named() {
      return !UNNAMED.test(name);
    },
    on: (listener) => listeners.add(listener),
  };
})();
