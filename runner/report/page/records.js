/**
 * Records of judgements, one JSON object a line as in ratings.jsonl: made, and read from text that others wrote.
 * A `rating` is all that one rater thinks of one file, a `pair` a choice between two files, an `undo` takes one back.
 */
const records = (() => {
  const VERSION = 1;
  const LONGEST = { note: 20000, tag: 60, rater: 80 };
  const MOST_TAGS = 50;
  const OUTCOMES = ["left", "right", "tie", "both_bad"];
  const NOTHING = Object.freeze({ rating: null, tags: Object.freeze([]), star: false, reject: false, note: "" });

  const isText = (value) => typeof value === "string";
  const isName = (value) => isText(value) && value.trim() !== "" && value.length <= LONGEST.rater;
  const isPlace = (value) => isText(value?.run) && value.run !== "" && isText(value.file);

  /** An id as uuid4 in 32 hexadecimal digits. */
  function identify() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  /** A text in one line without control characters, and not longer than `most`. */
  const line = (text, most) => text.replace(/[\u0000-\u001f\u007f]+/g, " ").trim().slice(0, most);

  /** Words of one's own, each once. */
  function tags(given) {
    const words = (Array.isArray(given) ? given : []).filter(isText).map((word) => line(word, LONGEST.tag));
    return [...new Set(words.filter(Boolean))].slice(0, MOST_TAGS);
  }

  /** A judgement {rating, tags, star, reject, note} without what is none; who is both starred and rejected is starred. */
  function judgement(given) {
    return Object.freeze({
      rating: [1, 2, 3, 4, 5].includes(given.rating) ? given.rating : null,
      tags: Object.freeze(tags(given.tags)),
      star: given.star === true,
      reject: given.reject === true && given.star !== true,
      note: isText(given.note) ? given.note.slice(0, LONGEST.note) : "",
    });
  }

  const isNothing = ({ rating, tags: words, star, reject, note }) => !rating && !words.length && !star && !reject && !note;

  /** A new record of a kind, made now by a rater. */
  function make(kind, rater, facts) {
    return Object.freeze({ version: VERSION, kind, id: identify(), at: new Date().toISOString(), rater, ...facts });
  }

  const READERS = {
    rating: (given) => (isPlace(given) ? { run: given.run, file: given.file, ...judgement(given) } : null),
    pair: ({ left, right, outcome, by, seed }) =>
      isPlace(left) && isPlace(right) && OUTCOMES.includes(outcome)
        ? {
            left: { run: left.run, file: left.file },
            right: { run: right.run, file: right.file },
            outcome,
            by: isText(by) ? by : null,
            seed: Number.isInteger(seed) ? seed : null,
          }
        : null,
    undo: ({ of }) => (isText(of) ? { of } : null),
  };

  /** A record that somebody else wrote, without what is unknown; null for what is none of this version. */
  function read(given) {
    if (given?.version !== VERSION || !isText(given.id) || !given.id || !isName(given.rater)) return null;
    if (!isText(given.at) || !Number.isFinite(Date.parse(given.at)) || !Object.hasOwn(READERS, given.kind)) return null;
    const facts = READERS[given.kind](given);
    const { version, kind, id, at, rater } = given;
    return facts && Object.freeze({ version, kind, id, at, rater, ...facts });
  }

  function object(line) {
    try {
      return JSON.parse(line);
    } catch {
      return null; // a last line that was torn
    }
  }

  /** The records of a text in lines, and how many lines hold none. */
  function parse(text) {
    const lines = text.split("\n").filter((line) => line.trim());
    const found = lines.map((line) => read(object(line))).filter(Boolean);
    return { found, skipped: lines.length - found.length };
  }

  /** Records as text, one a line. */
  const write = (list) => list.map((record) => `${JSON.stringify(record)}\n`).join("");

  /**
   * What counts of records, in the order of time: each rater's latest `ratings` of each file, as file → rater → record,
   * and `pairs`; not what its own rater took back. `gone` are the ids of what was taken back.
   */
  function counted(list) {
    // Sorting keeps the order of those of one moment: then the one that stands later counts.
    const ordered = [...list].sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
    const gone = takenBack(ordered);
    const found = { ratings: new Map(), pairs: [], gone };
    for (const record of ordered) {
      if (gone.has(record.id)) continue;
      if (record.kind === "pair") found.pairs.push(record);
      if (record.kind !== "rating") continue;
      if (!found.ratings.has(record.file)) found.ratings.set(record.file, new Map());
      found.ratings.get(record.file).set(record.rater, record);
    }
    return found;
  }

  /** Whoever takes back what takes back has the record again. */
  function takenBack(ordered) {
    const raters = new Map(ordered.map(({ id, rater }) => [id, rater]));
    const gone = new Set();
    for (const { kind, id, rater, of } of [...ordered].reverse())
      if (kind === "undo" && !gone.has(id) && raters.get(of) === rater) gone.add(of);
    return gone;
  }

  return { NOTHING, OUTCOMES, LONGEST, identify, judgement, isNothing, isName, line, make, read, parse, write, counted };
})();
