/**
 * The difference of two texts, word by word.
 *
 * Myers' greedy algorithm over words and the gaps between them; its work is bounded, and texts that have too little
 * in common are told as one replaced by the other.
 */
const words = (() => {
  const MOST_CHANGES = 1500;

  const split = (text) => text.match(/\s+|[\p{L}\p{N}\p{M}_]+|[^\s\p{L}\p{N}\p{M}_]/gu) ?? [];

  /** How many items are the same at the beginning and, after those, at the end. */
  function ends(a, b) {
    const shorter = Math.min(a.length, b.length);
    let head = 0;
    while (head < shorter && a[head] === b[head]) head++;
    let tail = 0;
    while (tail < shorter - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
    return [head, tail];
  }

  /** How far each diagonal reaches after 0, 1, 2 … changes; null if it takes too many. */
  function trace(a, b) {
    const offset = MOST_CHANGES + 1;
    const reach = new Int32Array(2 * offset + 1);
    const history = [];
    for (let changes = 0; changes <= Math.min(a.length + b.length, MOST_CHANGES); changes++) {
      history.push(reach.slice(offset - changes - 1, offset + changes + 2));
      for (let k = -changes; k <= changes; k += 2) {
        const down = k === -changes || (k !== changes && reach[offset + k - 1] < reach[offset + k + 1]);
        let x = down ? reach[offset + k + 1] : reach[offset + k - 1] + 1;
        while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
        reach[offset + k] = x;
        if (x >= a.length && x - k >= b.length) return history;
      }
    }
    return null;
  }

  /** The way back through the trace, as parts from the first to the last. */
  function walk(a, b, history) {
    const parts = [];
    let [x, y] = [a.length, b.length];
    for (let changes = history.length - 1; changes >= 0; changes--) {
      const at = (k) => history[changes][k + changes + 1];
      const k = x - y;
      const down = k === -changes || (k !== changes && at(k - 1) < at(k + 1));
      const from = changes === 0 ? 0 : down ? at(k + 1) : at(k - 1) + 1;
      while (x > from) parts.push(["same", a[--x]]);
      y = x - k;
      if (changes === 0) break;
      if (down) parts.push(["added", b[--y]]);
      else parts.push(["removed", a[--x]]);
    }
    return parts.reverse();
  }

  function middle(a, b) {
    const history = trace(a, b);
    if (history) return walk(a, b, history);
    return [...a.map((word) => ["removed", word]), ...b.map((word) => ["added", word])];
  }

  const isGap = (text) => /^\s+$/.test(text);
  const isChange = (part) => Boolean(part) && part[0] !== "same";

  /** Neighbours become one part, with the gaps between changed words; what was removed comes first. */
  function joined(parts) {
    const found = [];
    let removed = "";
    let added = "";
    const flush = () => {
      if (removed) found.push({ kind: "removed", text: removed });
      if (added) found.push({ kind: "added", text: added });
      removed = added = "";
    };
    for (const [index, [kind, text]] of parts.entries()) {
      const between = kind === "same" && isGap(text) && isChange(parts[index - 1]) && isChange(parts[index + 1]);
      if (kind === "removed" || between) removed += text;
      if (kind === "added" || between) added += text;
      if (kind === "same" && !between) {
        flush();
        const last = found[found.length - 1];
        if (last?.kind === "same") last.text += text;
        else found.push({ kind: "same", text });
      }
    }
    flush();
    return found;
  }

  /** The parts that lead from one text to the other: [{kind: "same" | "removed" | "added", text}]. */
  function diff(one, other) {
    const [a, b] = [split(one), split(other)];
    const [head, tail] = ends(a, b);
    const same = (list) => list.map((word) => ["same", word]);
    return joined([
      ...same(a.slice(0, head)),
      ...middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
      ...same(a.slice(a.length - tail)),
    ]);
  }

  return { diff };
})();
