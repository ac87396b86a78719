/** How far raters agree: Krippendorff's alpha, 1 where they always do, 0 where as often as by chance. */
const agreement = (() => {
  /** The alpha of units, each the values that its raters gave; null where no unit has two. */
  function alpha(units, difference) {
    const paired = units.filter((unit) => unit.length > 1);
    if (!paired.length) return null;
    const counts = new Map();
    let observed = 0;
    for (const unit of paired) {
      unit.forEach((one, place) => {
        counts.set(one, (counts.get(one) ?? 0) + 1);
        unit.forEach((other, also) => {
          if (place !== also) observed += difference(one, other) / (unit.length - 1);
        });
      });
    }
    let [expected, total] = [0, 0];
    for (const [one, number] of counts) {
      total += number;
      for (const [other, also] of counts) expected += difference(one, other) * number * also;
    }
    return expected === 0 ? 1 : 1 - ((total - 1) * observed) / expected;
  }

  const nominal = (one, other) => Number(one !== other);

  /** The difference of two ranks: how many of the values that were given lie between them. */
  function ordinal(values) {
    const counts = new Map();
    for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
    return (one, other) => {
      const [low, high] = [Math.min(one, other), Math.max(one, other)];
      let between = 0;
      for (const [value, count] of counts) if (value >= low && value <= high) between += count;
      return (between - (counts.get(low) + counts.get(high)) / 2) ** 2;
    };
  }

  /** The alpha of ratings; `units` has the numbers that each file was given. */
  function ofRatings(units) {
    const values = units.filter((unit) => unit.length > 1).flat();
    return alpha(units, ordinal(values));
  }

  const MIRRORED = { left: "right", right: "left" };
  const key = ({ run, file }) => JSON.stringify([run, file]);

  /** The alpha of choices between two files; a rater's last choice of the same two counts. */
  function ofPairs(pairs) {
    const units = new Map();
    for (const { left, right, outcome, rater } of pairs) {
      const turned = key(left) > key(right);
      const unit = turned ? key(right) + key(left) : key(left) + key(right);
      if (!units.has(unit)) units.set(unit, new Map());
      units.get(unit).set(rater, turned ? (MIRRORED[outcome] ?? outcome) : outcome);
    }
    return alpha([...units.values()].map((unit) => [...unit.values()]), nominal);
  }

  return { ofRatings, ofPairs };
})();
