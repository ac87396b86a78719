/* Everything starts here, last; the copy that `refresh` loads only hands over its data. */
if (!refresh.isCopy()) {
  store.start();
  const modules = {
    store, data, records, server, ratings, tags, grading, exchange, ratingsDialog, grid, views, toolbar, totals, transport, zoom,
    compare, detail, plot, standings, pairs, pairing, scoreboard, keyboard, refresh,
  };
  for (const [name, module] of Object.entries(modules)) if (name !== "store") module.start?.();
  window.gallery = Object.freeze(modules);
}
