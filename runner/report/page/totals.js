/** The figures of the whole page, and a thin bar that shows how far it has come. */
const totals = (() => {
  function start() {
    store.on((changed) => { if (changed.has("data")) show(); });
    show();
  }

  function show() {
    const { complete, title, totals: sums } = store.data;
    document.title = complete ? title : `${sums.done}/${sums.runs} · ${title}`;
    const entries = figures(store.data.totals).filter(([, value]) => value !== null);
    document.getElementById("totals").replaceChildren(...entries.map(entry));
    document.getElementById("progress").replaceChildren(...data.groups().map(([group, count]) => {
      const part = dom.make("i", { "data-group": group });
      part.style.flexGrow = count;
      return part;
    }));
  }

  function entry([name, value, more]) {
    const small = more ? dom.make("small", {}, more) : null;
    return dom.make("div", { title: more }, dom.make("dt", {}, name), dom.make("dd", {}, value, small));
  }

  /** Each as [name, value, what stands small behind it]; those with null are left out. */
  function figures(sums) {
    return [
      ["Done", `${sums.done} / ${sums.runs}`, others(sums)],
      money(sums),
      ["Success", share(sums.success_rate), null],
      ["Latency", known(sums.latency_p50, data.seconds), known(sums.latency_p95, (x) => `p95 ${data.seconds(x)}`)],
      ["Retries", sums.retries || null, null],
      ["Reused", sums.reused || null, known(sums.saved_usd || null, (x) => `${data.usd(x)} saved`)],
      ["Resumed", sums.resumed || null, known(sums.resumed_usd || null, (x) => `${data.usd(x)} not paid again`)],
    ];
  }

  /** Emulated runs cost nothing; what they would have is said as such. */
  function money(sums) {
    if (sums.emulated) return ["Emulated, free", known(sums.emulated_usd, (x) => `would cost ${data.usd(x)}`), null];
    return ["Spent", known(sums.spent_usd ?? sums.estimated_usd, () => data.usd(sums.spent_usd)), against(sums)];
  }

  const known = (x, text) => (x === null || x === undefined ? null : text(x));
  const share = (x) => known(x, (rate) => `${Math.round(rate * 1000) / 10} %`);

  function others(sums) {
    const groups = ["downloading", "generating", "queued", "uncertain", "failed"].filter((group) => sums[group]);
    return groups.map((group) => `${sums[group]} ${group}`).join(", ") || null;
  }

  function against(sums) {
    const estimate = known(sums.estimated_usd, (x) => `of ${data.usd(x)} estimated`);
    const budget = known(sums.budget_usd, (x) => `budget ${data.usd(x)}`);
    return [estimate, budget].filter(Boolean).join(", ") || null;
  }

  return { start };
})();
