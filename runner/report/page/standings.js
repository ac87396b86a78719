/** Who stands where by what was judged: each value of a parameter, and the best files for each prompt. */
const standings = (() => {
  const SHARES = { left: 1, right: 0, tie: 0.5 };
  const NAMED = 3;

  const name = ({ run, file }) => JSON.stringify([run, file]);

  const sum = (list) => list.reduce((total, number) => total + number, 0);
  const known = (list) => list.filter((number) => Number.isFinite(number));

  /** A row of the scoreboard without its games. */
  function row(value, cells) {
    const verdicts = cells.flatMap((cell) => ratings.files(cell).map((file) => ratings.verdict(cell, file)));
    const numbers = verdicts.flatMap((verdict) => verdict.numbers);
    const kept = verdicts.filter((verdict) => verdict.kept).length;
    const per = (list) => (kept && list.length ? sum(list) / kept : null);
    return {
      value,
      cells,
      files: sum(cells.map((cell) => cell.media.filter(({ extra }) => !extra).length)),
      wins: 0,
      losses: 0,
      ties: 0,
      bothBad: 0,
      strength: null,
      ratings: numbers.length,
      mean: numbers.length ? sum(numbers) / numbers.length : null,
      kept,
      usdPerKept: per(known(cells.map(data.cost))),
      secondsPerKept: per(known(cells.map((cell) => cell.latency_seconds))),
    };
  }

  function count(left, right, outcome) {
    if (outcome === "tie") [left, right].forEach((one) => { one.ties += 1; });
    else if (outcome === "both_bad") [left, right].forEach((one) => { one.bothBad += 1; });
    else {
      (outcome === "left" ? left : right).wins += 1;
      (outcome === "left" ? right : left).losses += 1;
    }
  }

  const games = ({ wins, losses, ties }) => wins + losses + ties;
  const rate = (one) => (games(one) ? (one.wins + one.ties / 2) / games(one) : 0.5);

  /** What sorts rows, the best first. */
  function before(one, other) {
    const merits = (each) => [each.strength?.value ?? 0, rate(each), each.mean ?? 0, each.kept];
    const [own, others] = [merits(one), merits(other)];
    const at = own.findIndex((merit, place) => merit !== others[place]);
    return at < 0 ? (one.value < other.value ? -1 : 1) : others[at] - own[at];
  }

  /**
   * The standing of the values of a parameter among the page's runs: {rows, winners, raters, ratingAlpha, pairAlpha, games,
   * bothBad, within, remarks}. `within` are comparisons of two files of one value, which say nothing of it.
   */
  function of(parameter, seed = 0) {
    const { cells } = store.data;
    const byRun = new Map(cells.map((cell) => [cell.key, cell]));
    const pairs = ratings.pairs().filter(({ left, right }) => isHere(byRun, left) && isHere(byRun, right));
    const value = ({ run }) => parameter.of(byRun.get(run));
    const rows = new Map([...parameters.grouped(cells, parameter.of)].map(([each, own]) => [each, row(each, own)]));
    const across = pairs.filter(({ left, right }) => value(left) !== value(right));
    for (const { left, right, outcome } of across) count(rows.get(value(left)), rows.get(value(right)), outcome);
    const played = [...rows.values()].filter(games);
    const places = new Map(played.map((one, place) => [one.value, place]));
    const list = across.filter(({ outcome }) => outcome in SHARES);
    const found = list.map(({ left, right, outcome }) => [places.get(value(left)), places.get(value(right)), SHARES[outcome]]);
    if (found.length) strength.of(played.length, found, seed).forEach((one, place) => { played[place].strength = one; });
    return {
      rows: [...rows.values()].sort(before),
      winners: winners(cells, pairs, byRun),
      ...agreed(cells, pairs),
      games: found.length,
      bothBad: across.length - found.length,
      within: pairs.length - across.length,
      remarks: remarks(played.map((one) => one.value), found),
    };
  }

  function isHere(byRun, { run, file }) {
    const cell = byRun.get(run);
    return Boolean(cell) && (file === "" || ratings.files(cell).includes(file));
  }

  function agreed(cells, pairs) {
    const files = cells.flatMap((cell) => ratings.files(cell).map((file) => ratings.all(cell, file))).filter((all) => all.length);
    const raters = new Set([...pairs, ...files.flat()].map(({ rater }) => rater));
    return {
      raters: [...raters].sort(),
      ratingAlpha: agreement.ofRatings(files.map((all) => all.map(({ rating }) => rating).filter(Boolean))),
      pairAlpha: agreement.ofPairs(pairs),
    };
  }

  /** The best files for each prompt of which anything is judged: [{prompt, files: [{cell, file}], judged}]. */
  function winners(cells, pairs, byRun) {
    const prompt = ({ run }) => byRun.get(run).prompt;
    const own = parameters.grouped(pairs.filter(({ left, right }) => prompt(left) === prompt(right)), ({ left }) => prompt(left));
    const found = [...parameters.grouped(cells, (cell) => cell.prompt)].map(([text, group]) => winner(text, group, own.get(text) ?? [], byRun));
    return found.filter(({ files }) => files.length);
  }

  /** The files that won most of all, less their losses; then those rated highest; then starred; none is rejected. */
  function winner(prompt, cells, pairs, byRun) {
    const balance = new Map();
    const add = ({ run, file }, number) => {
      const key = name({ run, file: file || ratings.file(byRun.get(run)) });
      balance.set(key, (balance.get(key) ?? 0) + number);
    };
    for (const { left, right, outcome } of pairs) {
      if (outcome !== "left" && outcome !== "right") continue;
      add(left, outcome === "left" ? 1 : -1);
      add(right, outcome === "right" ? 1 : -1);
    }
    const files = cells.flatMap((cell) => ratings.files(cell).map((file) => ({ cell, file })));
    const merits = files.map(({ cell, file }) => {
      const { mean, starred, rejected } = ratings.verdict(cell, file);
      const won = balance.get(name({ run: cell.key, file })) ?? 0;
      return !rejected && (won > 0 || mean !== null || starred) ? [won, mean ?? 0, Number(starred)] : null;
    });
    const best = merits.reduce((most, merit) => (merit && (!most || exceeds(merit, most)) ? merit : most), null);
    return { prompt, files: files.filter((_, at) => best && merits[at] && String(merits[at]) === String(best)) };
  }

  function exceeds(one, other) {
    const at = one.findIndex((merit, place) => merit !== other[place]);
    return at >= 0 && one[at] > other[at];
  }

  /** What to know before one believes the strengths. */
  function remarks(names, found) {
    if (!found.length) return [];
    const groups = strength.connected(names.length, found);
    const listed = (list) => [...list.slice(0, NAMED), ...(list.length > NAMED ? [`${list.length - NAMED} more`] : [])].join(", ");
    const parts = groups.map((group) => listed(group.map((place) => names[place]))).join(" | ");
    const apart = groups.length > 1 ? [`Never compared with each other: ${parts}. How they stand to each other is assumed, not judged.`] : [];
    const shares = names.map((_, place) => found.flatMap(([one, other, share]) => (one === place ? [share] : other === place ? [1 - share] : [])));
    const extreme = names.flatMap((each, place) => {
      const [first] = shares[place];
      if ((first !== 0 && first !== 1) || shares[place].some((share) => share !== first)) return [];
      return [`${each} ${first ? "won" : "lost"} all of its ${shares[place].length} games: how far it is from the others, nobody can tell yet.`];
    });
    return [...apart, ...extreme];
  }

  return { of };
})();
