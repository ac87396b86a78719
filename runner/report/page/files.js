/** A run's files as they stand in the grid and are compared: each like a run of one file, with an id of its own. */
const files = (() => {
  const known = new WeakMap();

  /** What a run stands for: itself, or where it made several files, one of each. */
  function of(cell) {
    if (!known.has(cell)) known.set(cell, split(cell));
    return known.get(cell);
  }

  function split(cell) {
    const made = cell.media.filter(({ extra }) => !extra);
    if (made.length < 2) return [cell];
    return made.map((media, at) => ({
      ...cell, id: at ? `${cell.id}.${at}` : cell.id, run: cell.id, file: at, count: made.length, media: [media],
    }));
  }

  /** The run that a file is of. */
  const run = (one) => (one?.run ? store.cell(one.run) : one);

  /** What the reader thinks of a file. */
  const mine = (one) => ratings.get(run(one), ratings.file(one));

  /** The files of a run that pass the filter of what was judged. */
  function seen(cell) {
    return judged.isOn() ? of(cell).filter((one) => judged.passes(cell, ratings.file(one))) : of(cell);
  }

  return { of, run, mine, seen };
})();
