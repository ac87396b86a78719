/** Which part of the runs is seen: those that pass the filter, are in the tab shown, and are not fixed away. */
const part = (() => {
  const place = (key) => store.data.axes.findIndex((axis) => axis.key === key);
  const index = (key, at) => axes.slots(store.data, key)[at]?.index;
  const stands = (axis, wanted) => (cell) => (cell.at[axis] ?? null) === wanted;
  const all = (tests) => (cell) => tests.every((test) => test(cell));

  /** Say of a run whether it has the value that each select fixes. */
  const fixed = () => all(Object.entries(store.state.fixed).map(([key, at]) => stands(place(key), index(key, at))));

  /** Say of a run whether it is in the tab that is shown. */
  function tabbed() {
    const { tab, at } = store.state;
    return tab ? stands(place(tab), index(tab, at)) : () => true;
  }

  /** Say of a run whether it is in the tab shown, and not fixed away. */
  const within = () => all([fixed(), tabbed()]);

  /** The runs that are seen, in the order chosen. */
  const seen = () => data.shown().filter(within());

  /** How many of each tab pass the filter and are not fixed away, by the tab's place. */
  function byTab() {
    const { tab } = store.state;
    const read = axes.reader(store.data, tab);
    const counts = new Map();
    for (const cell of data.shown().filter(fixed())) counts.set(read(cell), (counts.get(read(cell)) ?? 0) + 1);
    return axes.slots(store.data, tab).map((slot) => counts.get(slot.index) ?? 0);
  }

  /** How many runs are seen of all, and how many are not for each reason: {all, seen, filtered, fixed, elsewhere}. */
  function account() {
    const passing = data.shown();
    const kept = passing.filter(fixed());
    const seen = kept.filter(tabbed()).length;
    const total = store.data.cells.length;
    return {
      all: total, seen, filtered: total - passing.length, fixed: passing.length - kept.length, elsewhere: kept.length - seen,
    };
  }

  /** Show the next tab that has a run to show. */
  function toNextTab() {
    const counts = byTab();
    const steps = counts.map((_, step) => (store.state.at + 1 + step) % counts.length);
    const at = steps.find((one) => counts[one]);
    if (at !== undefined) store.set({ at });
  }

  return { within, seen, byTab, account, toNextTab };
})();
