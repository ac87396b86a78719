/**
 * How strong things are that were compared in pairs: Bradley–Terry strengths as log odds, with the mean 0. Two that
 * differ by d win against each other with the probability 1 / (1 + exp(-d)). Fitted by the MM algorithm (Hunter 2004),
 * with the same assumption as `runner rank`, so that both tell the same.
 */
const strength = (() => {
  const ASSUMED = 0.5; // wins each way that every two are assumed to have had: then all are connected and none infinite
  const SAMPLES = 1000;
  const MOST = 60; // of more things only the strengths themselves are found, about
  const LEVEL = 0.95;

  /** How often the one of the row has won against the one of the column; a tie is half a win of both. */
  function table(count, games) {
    const wins = Array.from({ length: count }, () => new Float64Array(count).fill(ASSUMED));
    for (let place = 0; place < count; place += 1) wins[place][place] = 0;
    for (const { one, other, share, times } of games) {
      wins[one][other] += share * times;
      wins[other][one] += (1 - share) * times;
    }
    return wins;
  }

  /** The likeliest strengths by a table of wins, from `start` on until no step is larger than `tolerance`. */
  function fit(wins, start, tolerance, rounds = 10000) {
    const count = wins.length;
    const total = wins.map((row) => row.reduce((sum, number) => sum + number, 0));
    let found = start.map(Math.exp);
    for (let round = 0; round < rounds; round += 1) {
      const next = found.map((own, one) => {
        let sum = 0;
        for (let other = 0; other < count; other += 1)
          if (other !== one) sum += (wins[one][other] + wins[other][one]) / (own + found[other]);
        return total[one] / sum;
      });
      const scale = Math.exp(next.reduce((sum, own) => sum + Math.log(own), 0) / count);
      const scaled = next.map((own) => own / scale);
      const step = Math.max(...scaled.map((own, one) => Math.abs(Math.log(own / found[one]))));
      found = scaled;
      if (step < tolerance) break;
    }
    return found.map(Math.log);
  }

  /** Equal games together, as {one, other, share, times}. */
  function kinds(games) {
    const found = new Map();
    for (const [one, other, share] of games) {
      const key = `${one} ${other} ${share}`;
      if (!found.has(key)) found.set(key, { one, other, share, times: 0 });
      found.get(key).times += 1;
    }
    return [...found.values()];
  }

  /** As many games again, drawn from those that there are; `lots` has the place of each game's kind. */
  function drawn(games, lots, next) {
    const times = new Float64Array(games.length);
    for (let count = 0; count < lots.length; count += 1) times[lots[Math.floor(next() * lots.length)]] += 1;
    return games.map(({ one, other, share }, place) => ({ one, other, share, times: times[place] }));
  }

  /** The value below which a share of a sorted list lies, interpolated. */
  function percentile(sorted, share) {
    const at = share * (sorted.length - 1);
    const [low, high] = [Math.floor(at), Math.ceil(at)];
    return sorted[low] + (sorted[high] - sorted[low]) * (at - low);
  }

  /**
   * The strength of each of `count` things as {value, low, high}; `games` are [place, place, what the first had of it: 1,
   * 0 or 0.5 for a tie]. `low` and `high` bound what 95 % of samples by bootstrap give, null of too many things; the same
   * seed gives the same.
   */
  function of(count, games, seed = 0) {
    const found = kinds(games);
    if (count > MOST) return fit(table(count, found), new Array(count).fill(0), 1e-3, 100).map((value) => ({ value, low: null, high: null }));
    const values = fit(table(count, found), new Array(count).fill(0), 1e-10);
    if (!games.length) return values.map((value) => ({ value, low: value, high: value }));
    const next = random.from(seed);
    const lots = found.flatMap(({ times }, place) => new Array(times).fill(place));
    const spread = values.map(() => []);
    for (let sample = 0; sample < SAMPLES; sample += 1)
      fit(table(count, drawn(found, lots, next)), values, 1e-4).forEach((value, place) => spread[place].push(value));
    return values.map((value, place) => {
      const sorted = spread[place].sort((one, other) => one - other);
      return { value, low: percentile(sorted, (1 - LEVEL) / 2), high: percentile(sorted, (1 + LEVEL) / 2) };
    });
  }

  /** The likeliest strengths alone. */
  const values = (count, games) => fit(table(count, kinds(games)), new Array(count).fill(0), 1e-6);

  /** The groups of places within which all were compared, directly or by way of others. */
  function connected(count, games) {
    const group = Array.from({ length: count }, (_, place) => place);
    for (const [one, other] of games) {
      const [old, kept] = [group[one], group[other]];
      group.forEach((each, place) => {
        if (each === old) group[place] = kept;
      });
    }
    return [...new Set(group)].map((name) => group.flatMap((each, place) => (each === name ? [place] : [])));
  }

  return { of, values, connected };
})();
