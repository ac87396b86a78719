/** What runs can be grouped and compared by: their model, their provider, and every parameter that varies. */
const parameters = (() => {
  const REPEATS = ["replica", "request.seed"]; // they make the same again

  /** All of them as {key, name, of}; `of` gives a run's value as text. */
  function all() {
    const own = ["model", "provider"].filter((key) => new Set(store.data.cells.map((cell) => cell[key])).size > 1);
    const fixed = own.map((key) => ({ key, name: key, of: (cell) => cell[key] ?? "–" }));
    const rest = axes.varying(store.data).filter((axis) => !own.includes(axis.key));
    return [...fixed, ...rest.map(({ key, name }) => ({ key, name, of: (cell) => data.value(cell, key) }))];
  }

  const isPrompt = ({ key }) => key === "id" || key === "request.prompt_file" || key.endsWith("prompt") || key.startsWith("vars.");

  /** The one to compare by that a reader most likely means: the model, else a parameter that is no prompt. */
  function first(list) {
    const plain = list.filter((one) => !isPrompt(one) && !REPEATS.includes(one.key) && one.key !== "sweep");
    return plain[0] ?? list[0] ?? null;
  }

  const chosen = (key) => {
    const list = all();
    return list.find((one) => one.key === key) ?? first(list);
  };

  /** Lists by what `read` gives of each, in the order of the first of each. */
  function grouped(list, read) {
    const found = new Map();
    for (const one of list) {
      const key = read(one);
      if (!found.has(key)) found.set(key, []);
      found.get(key).push(one);
    }
    return found;
  }

  return { all, chosen, grouped, REPEATS };
})();
