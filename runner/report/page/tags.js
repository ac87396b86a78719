/** Words of one's own to tag files with, each with a key: Shift and a letter of the word that nothing else needs. */
const tags = (() => {
  const NAME = "runner.tags";
  const USUAL = ["hands", "text", "motion"];
  const MOST = 12;
  const TAKEN = "bcfgsxy"; // letters that do something else with Shift
  const listeners = new Set();
  let own = null;

  const tell = () => listeners.forEach((listener) => listener());

  /** The rater's own tags. */
  function list() {
    own ??= kept();
    return own;
  }

  function kept() {
    try {
      const found = JSON.parse(localStorage.getItem(NAME));
      return Array.isArray(found) ? clean(found) : USUAL;
    } catch {
      return USUAL; // nothing is kept, or nothing by such a page
    }
  }

  const clean = (words) => records.judgement({ tags: words }).tags.slice(0, MOST);

  /** Changes the tags. */
  function set(words) {
    own = clean(words);
    try {
      localStorage.setItem(NAME, JSON.stringify(own));
    } catch {
      dom.say("This browser keeps no settings for this page.");
    }
    tell();
  }

  /** Each of the rater's tags with its letter, or with null where none is free. */
  function keys() {
    const free = new Set([..."abcdefghijklmnopqrstuvwxyz"].filter((letter) => !TAKEN.includes(letter)));
    return list().map((tag) => {
      const letter = [...tag.toLowerCase(), ...free].find((each) => free.has(each)) ?? null;
      free.delete(letter);
      return { tag, letter };
    });
  }

  /** The tag of a key as `keyboard` names it; null for another key. */
  const byKey = (key) => keys().find(({ letter }) => letter && key === `Shift+${letter}`)?.tag ?? null;

  /** All tags that somebody gave a file of this page, and the rater's own. */
  function known() {
    const found = new Set(list());
    for (const cell of store.data.cells)
      for (const file of ratings.files(cell)) for (const { tags: given } of ratings.all(cell, file)) given.forEach((tag) => found.add(tag));
    return [...found];
  }

  /** Hears of tags that are changed in another window. */
  function start() {
    addEventListener("storage", ({ key }) => {
      if (key !== NAME && key !== null) return;
      own = null;
      tell();
    });
  }

  return { start, list, set, keys, byKey, known, on: (listener) => listeners.add(listener) };
})();
