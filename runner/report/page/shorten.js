/** Shortens texts that stand beside each other, so that each is still unlike the others. */
const shorten = (() => {
  const SHOWN = 8; // characters behind the place where a text differs that tell it from its neighbour

  function shared(one, other) {
    let at = 0;
    while (at < one.length && one[at] === other[at]) at += 1;
    return at;
  }

  /** The beginning of the word that holds a place. */
  const word = (text, at) => text.lastIndexOf(" ", at) + 1;

  /** The texts in at most `length` characters; what one begins with like another gives way to where it differs. */
  function apart(texts, length) {
    const sorted = [...new Set(texts)].sort();
    const parting = new Map(sorted.map((text, at) => {
      const beside = [sorted[at - 1], sorted[at + 1]].filter((other) => other !== undefined);
      return [text, Math.max(0, ...beside.map((other) => shared(text, other)))];
    }));
    return texts.map((text) => shortened(text, parting.get(text), length));
  }

  function shortened(text, at, length) {
    if (text.length <= length) return text;
    if (at + SHOWN <= length) return tile.clip(text, length - 1);
    const from = Math.max(word(text, at), at - Math.floor(length / 2));
    const room = Math.max(SHOWN, Math.floor((2 * length) / 3));
    return `${text.slice(0, Math.max(0, length - room - 1))}…${tile.clip(text.slice(from), room)}`;
  }

  return { apart };
})();
