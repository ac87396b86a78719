/** Ratings as a file: handed over as ratings.jsonl, and taken from such a file or from notes.json of older pages. */
const exchange = (() => {
  /** Hands all records over as a file. */
  function download() {
    const list = ratings.records();
    const address = URL.createObjectURL(new Blob([records.write(list)], { type: "application/x-ndjson" }));
    const link = dom.make("a", { href: address, download: "ratings.jsonl", hidden: true });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
    dom.say(`Exported ${list.length} ratings and choices${ratings.named ? "" : "; say who you are under Ratings"}`);
  }

  /** The notes of an older page as records of the rater's own; null for what is no such file. */
  function older(text) {
    let given;
    try {
      given = JSON.parse(text);
    } catch {
      return null;
    }
    if (given?.version !== 1 || !Array.isArray(given.notes)) return null;
    const cells = new Map(store.data.cells.map((cell) => [cell.key, cell]));
    return given.notes.map((note) => {
      const cell = cells.get(note?.key);
      const place = { run: String(note?.key), file: cell ? ratings.file(cell) : "" };
      return records.make("rating", ratings.rater, { ...place, ...records.judgement({ ...note, note: note?.text }) });
    });
  }

  /** Takes over what a text holds: {taken, known, strange, skipped}; null where it holds no record. */
  function merge(text) {
    const notes = older(text);
    if (notes) return { ...ratings.merge(notes), skipped: 0 };
    const { found, skipped } = records.parse(text);
    return found.length ? { ...ratings.merge(found), skipped } : null;
  }

  async function take(file) {
    const counts = merge(await file.text());
    if (!counts) return dom.say(`${file.name} holds no ratings: choose a ratings.jsonl, or a notes.json of an older page.`);
    const words = [
      `Imported ${counts.taken} ratings and choices`,
      counts.known ? `${counts.known} were here already` : null,
      counts.strange ? `${counts.strange} are of runs that are not here` : null,
      counts.skipped ? `${counts.skipped} lines are of another version or damaged` : null,
    ];
    dom.say(words.filter(Boolean).join("; ") + ratings.warning());
  }

  /** Asks for a file, and takes it over. */
  const choose = () => document.getElementById("ratings-file").click();

  /** Puts the field for files into the page. */
  function start() {
    const input = dom.make("input", {
      type: "file",
      accept: ".jsonl,.json,application/json,application/x-ndjson",
      hidden: true,
      "aria-label": "Ratings to import",
      id: "ratings-file",
    });
    input.addEventListener("change", () => {
      if (input.files[0]) take(input.files[0]);
      input.value = "";
    });
    document.body.append(input);
  }

  return { start, download, choose, merge };
})();
