/** The filter of what was judged: which files pass it, and the list to choose from. */
const judged = (() => {
  const FIXED = [
    ["", "any judgement"],
    ["kept", "kept"],
    ["5", "rated 5"],
    ["4", "rated 4 or more"],
    ["3", "rated 3 or more"],
    ["2", "rated 2 or more"],
    ["rated", "rated"],
    ["unrated", "not rated by you"],
    ["unjudged", "not judged by you"],
  ];
  const TAG = "tag:";

  /** What can be chosen, as [value, name]. */
  const choices = () => [...FIXED, ...tags.known().map((tag) => [TAG + tag, `tagged ${tag}`])];

  /** Whether the filter lets any file out. */
  const isOn = () => Boolean(store.state.judged || store.state.starred || store.state.unrejected);

  /** Whether a file of a run passes. */
  function passes(cell, file) {
    const { starred, unrejected, judged: wanted } = store.state;
    const own = ratings.get(cell, file);
    if ((starred && !own.star) || (unrejected && own.reject)) return false;
    if (!wanted) return true;
    if (wanted === "unrated") return own.rating === null;
    if (wanted === "unjudged") return records.isNothing(own);
    if (wanted.startsWith(TAG)) return ratings.all(cell, file).some(({ tags: given }) => given.includes(wanted.slice(TAG.length)));
    const { mean, kept } = ratings.verdict(cell, file);
    if (wanted === "kept") return kept;
    return mean !== null && (wanted === "rated" || mean >= Number(wanted));
  }

  /** The best mean rating of a run's files; null where none is rated. */
  function best(cell) {
    const means = ratings.files(cell).map((file) => ratings.verdict(cell, file).mean).filter((mean) => mean !== null);
    return means.length ? Math.max(...means) : null;
  }

  return { choices, isOn, passes, best };
})();
