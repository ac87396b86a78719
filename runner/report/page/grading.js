/** Buttons to rate and tag one file, and what was judged of it in words. */
const grading = (() => {
  const made = new Set(); // {element, target} of what is on the page

  /** Rates a file from 1 to 5; the same again takes it back. */
  function rate(cell, file, number) {
    const rating = ratings.get(cell, file).rating === number ? null : number;
    ratings.change(cell, file, { rating });
    dom.say(`${ratings.called(cell, file)}: ${rating ? `rated ${rating} of 5` : "no longer rated"}${ratings.warning()}`);
  }

  /** Tags a file, or takes the tag away. */
  function tag(cell, file, word) {
    const { tags: given } = ratings.get(cell, file);
    const on = !given.includes(word);
    ratings.change(cell, file, { tags: on ? [...given, word] : given.filter((each) => each !== word) });
    dom.say(`${ratings.called(cell, file)}: ${on ? "tagged" : "no longer tagged"} ${word}${ratings.warning()}`);
  }

  /** A judgement in a few signs: a star, the rating, tags. */
  const told = ({ star, rating, tags: given }) => [star ? "★" : null, rating ? `${rating}/5` : null, ...given].filter(Boolean).join(" ");

  /** A judgement in words. */
  function spoken({ star, reject, rating, tags: given }) {
    const words = [star ? "starred" : null, reject ? "rejected" : null, rating ? `rated ${rating} of 5` : null];
    return [...words, given.length ? `tagged ${given.join(", ")}` : null].filter(Boolean).join(", ");
  }

  /** The buttons for the file that `target` gives as {cell, file} when it is asked. */
  function make(target) {
    const rates = [1, 2, 3, 4, 5].map((number) =>
      dom.button(String(number), `Rate ${number} of 5 (Shift+${number})`, () => rate(target().cell, target().file, number), { "data-rate": number }),
    );
    const element = dom.make(
      "div",
      { class: "grading" },
      dom.make("div", { class: "segments rates", role: "group", "aria-label": "Rating" }, ...rates),
      dom.make("div", { class: "tags", role: "group", "aria-label": "Tags" }),
      dom.make("ul", { class: "others", "aria-label": "What others think" }),
    );
    const one = { element, target };
    for (const old of made) if (!old.element.isConnected) made.delete(old);
    made.add(one);
    show(one);
    return element;
  }

  function show({ element, target }) {
    const { cell, file } = target();
    const own = ratings.get(cell, file);
    for (const button of element.querySelectorAll("[data-rate]"))
      button.setAttribute("aria-pressed", String(Number(button.dataset.rate) === own.rating));
    choices(element.querySelector(".tags"), own.tags, target);
    const others = ratings.all(cell, file).filter(({ rater }) => rater !== ratings.rater);
    element.querySelector(".others").replaceChildren(...others.map(other));
  }

  const other = (record) =>
    dom.make("li", { dir: "auto" }, dom.make("b", {}, record.rater), ` ${[spoken(record), record.note].filter(Boolean).join(": ")}`);

  /** The rater's tags, and others that the file has. */
  function choices(place, given, target) {
    const keys = tags.keys();
    const list = [...keys, ...given.filter((word) => !keys.some((each) => each.tag === word)).map((word) => ({ tag: word, letter: null }))];
    const wanted = JSON.stringify(list);
    if (place.dataset.list !== wanted) {
      place.dataset.list = wanted;
      place.replaceChildren(...list.map((each) => choice(each, target)), dom.button("Edit…", "Edit the tags", () => ratingsDialog.toggle(), { class: "way" }));
    }
    for (const button of place.querySelectorAll("[data-tag]")) button.setAttribute("aria-pressed", String(given.includes(button.dataset.tag)));
  }

  function choice({ tag: word, letter }, target) {
    const label = letter ? `Tag ${word} (Shift+${letter.toUpperCase()})` : `Tag ${word}`;
    const button = dom.button("", label, () => tag(target().cell, target().file, word), { class: "chip", "data-tag": word });
    button.append(dom.make("span", { dir: "auto" }, word), ...(letter ? [dom.make("kbd", { "aria-hidden": "true" }, `⇧${letter.toUpperCase()}`)] : []));
    return button;
  }

  /** Shows anew what is judged of the file on each stage. */
  const refresh = () => made.forEach((one) => (one.element.isConnected ? show(one) : made.delete(one)));

  function start() {
    ratings.on(refresh);
    tags.on(refresh);
  }

  return { start, rate, tag, told, spoken, make, refresh };
})();
