/**
 * Which two files are compared next: of one prompt, unlike in what is compared by, never judged together by this rater,
 * and where a choice tells most, as the two are close in strength and were seldom compared.
 */
const pairs = (() => {
  const FILE = { key: "file", name: "file" };
  const MOST = 60; // of so many things at most every two are weighed; of more, those that were compared least

  /** What pairs can be compared by: every parameter, and the files themselves. */
  const choices = () => [...parameters.all(), FILE];

  const chosen = (key) => {
    const list = choices();
    const [one] = list.filter((each) => each.key === key);
    return one ?? parameters.chosen(key) ?? FILE;
  };

  const name = (run, file) => JSON.stringify([run, file]);
  const both = (one, other) => (one < other ? one + other : other + one);

  /** The files that can be looked at, of runs that are done and pass the filter; not those that were found `broken`. */
  function files(by, broken) {
    return data.shown().flatMap((cell) =>
      (cell.group === "done" ? cell.media : []).flatMap((media) => {
        const key = name(cell.key, media.name);
        if (broken.has(key) || media.extra || !/^(image|video)\//.test(media.type)) return [];
        return [{ cell, media, key, thing: by === FILE ? key : by.of(cell) }];
      }),
    );
  }

  /** What two files may have in common, from the strictest on. */
  function likenesses(by) {
    const prompt = (cell) => cell.prompt;
    if (by === FILE) return [prompt];
    const others = axes.own(store.data).filter(({ key }) => key !== by.key && key !== "sweep" && !parameters.REPEATS.includes(key));
    const rest = (cell) => others.map(({ key }) => data.value(cell, key)).join("\n");
    return [(cell) => `${prompt(cell)}\n${rest(cell)}`, prompt, rest, () => ""];
  }

  /** Files that may be compared: groups of files of one prompt and, where that leaves any two, of the same else. */
  function groups(by, broken) {
    const list = files(by, broken);
    for (const likeness of likenesses(by)) {
      const found = [...parameters.grouped(list, ({ cell }) => likeness(cell)).values()].filter((group) => new Set(group.map(({ thing }) => thing)).size > 1);
      if (found.length) return found.map((group) => ({ files: group, things: parameters.grouped(group, ({ thing }) => thing) }));
    }
    return [];
  }

  /** How many pairs of a group there are. */
  function size({ files: list, things }) {
    const same = [...things.values()].reduce((sum, own) => sum + own.length ** 2, 0);
    return (list.length ** 2 - same) / 2;
  }

  /** What was judged so far: by this rater, of whom no pair comes twice, and by all, of whose games strengths are known. */
  function past(list) {
    const places = new Map(list.flatMap((group, at) => group.files.map((file) => [file.key, { at, thing: file.thing }])));
    const found = { own: new Set(), games: list.map(() => []), seen: new Map(), count: 0 };
    for (const { left, right, outcome, rater } of ratings.pairs()) {
      const [one, other] = [name(left.run, left.file), name(right.run, right.file)];
      const [here, there] = [places.get(one), places.get(other)];
      if (!here || !there || here.thing === there.thing) continue;
      const share = { left: 1, right: 0 }[outcome] ?? 0.5;
      found.games[here.at].push({ one: here.thing, other: there.thing, share });
      for (const key of [one, other]) found.seen.set(key, (found.seen.get(key) ?? 0) + 1);
      if (rater !== ratings.rater || here.at !== there.at) continue;
      if (!found.own.has(both(one, other))) found.count += 1;
      found.own.add(both(one, other));
    }
    return found;
  }

  /** Strengths and counts of the things in some games. */
  function fitted(games) {
    const places = new Map([...new Set(games.flatMap(({ one, other }) => [one, other]))].map((thing, place) => [thing, place]));
    const list = games.map(({ one, other, share }) => [places.get(one), places.get(other), share]);
    const values = places.size && places.size <= MOST ? strength.values(places.size, list) : [];
    const counts = new Map();
    for (const { one, other } of games) counts.set(both(one, other), (counts.get(both(one, other)) ?? 0) + 1);
    return { value: (thing) => values[places.get(thing)] ?? 0, count: (one, other) => counts.get(both(one, other)) ?? 0 };
  }

  /** How much a choice between two things is likely to tell. */
  function telling(fit, one, other) {
    const chance = 1 / (1 + Math.exp(fit.value(other) - fit.value(one)));
    return (chance * (1 - chance)) / (1 + fit.count(one, other));
  }

  /** One of those for which `merit` is greatest, by `next` random number. */
  function best(list, merit, next) {
    let [most, found] = [-Infinity, []];
    for (const one of list) {
      const own = merit(one);
      if (own > most + 1e-9) [most, found] = [own, [one]];
      else if (own > most - 1e-9) found.push(one);
    }
    return found[Math.floor(next() * found.length)] ?? null;
  }

  /** A group's things; of too many, those that were seen least. */
  function few({ things }, seen, next) {
    const list = [...things.keys()];
    if (list.length <= MOST) return list;
    const count = (thing) => things.get(thing).reduce((sum, { key }) => sum + (seen.get(key) ?? 0), 0);
    const drawn = list.map((thing) => ({ thing, count: count(thing), lot: next() }));
    return drawn.sort((one, other) => one.count - other.count || one.lot - other.lot).slice(0, MOST).map(({ thing }) => thing);
  }

  /** The pairs of files of two things in a group that this rater has not judged yet. */
  function left(group, one, other, own) {
    return group.things.get(one).flatMap((file) => group.things.get(other).filter((each) => !own.has(both(file.key, each.key))).map((each) => [file, each]));
  }

  /**
   * The next pair as {left, right, judged, total}, the sides drawn by lot; without `left` and `right` where none is left.
   * The same seed and the same choices so far give the same.
   */
  function next(by, seed, broken = new Set()) {
    const list = groups(by, broken);
    const before = past(list);
    const counts = { judged: before.count, total: list.reduce((sum, group) => sum + size(group), 0) };
    const lot = random.from(random.hash(`${seed} ${before.count} ${broken.size}`));
    const whole = by === FILE ? null : fitted(before.games.flat());
    const meetings = list.flatMap((group, at) => {
      const fit = whole ?? fitted(before.games[at]);
      const things = few(group, before.seen, lot);
      return things.flatMap((one, place) => things.slice(place + 1).map((other) => ({ group, one, other, merit: telling(fit, one, other), games: before.games[at].length })));
    });
    const open = meetings.filter(({ group, one, other }) => left(group, one, other, before.own).length);
    const most = Math.max(...open.map(({ merit }) => merit));
    // Of those that tell alike, in the group that was judged least.
    const meeting = best(open.filter(({ merit }) => merit > most - 1e-9), ({ games }) => -games, lot);
    if (!meeting) return counts;
    const count = (pair) => pair.reduce((sum, { key }) => sum + (before.seen.get(key) ?? 0), 0);
    const pair = best(left(meeting.group, meeting.one, meeting.other, before.own), (each) => -count(each), lot);
    const [one, other] = lot() < 0.5 ? pair : [...pair].reverse();
    return { left: one, right: other, ...counts };
  }

  /** The last choice of this rater that counts, with its files as they are here; null where there is none. */
  function last(by) {
    const byRun = new Map(store.data.cells.map((cell) => [cell.key, cell]));
    const own = ratings.pairs().filter((pair) => pair.rater === ratings.rater && pair.by === by.key);
    const record = own[own.length - 1];
    if (!record) return null;
    const file = ({ run, file: wanted }) => {
      const cell = byRun.get(run);
      const media = cell?.media.find((each) => each.name === wanted);
      return media ? { cell, media, key: name(run, wanted), thing: by === FILE ? name(run, wanted) : by.of(cell) } : null;
    };
    const found = { record, left: file(record.left), right: file(record.right) };
    return found.left && found.right ? found : null;
  }

  return { FILE, choices, chosen, next, last };
})();
