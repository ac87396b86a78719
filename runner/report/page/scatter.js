/** Two measures of each run against each other. */
const scatter = (() => {
  const HEIGHT = 420;
  const EDGE = { left: 72, right: 24, top: 16, bottom: 56 };
  const MOST_POINTS = 3000;
  const CROWD = 300;

  /** Where the values of a measure stand between two places, with its steps. */
  function scale(measure, values, from, to) {
    const steps = measures.ticks(measure, values);
    const [least, most] = [steps[0].at, steps[steps.length - 1].at];
    return { steps, at: (value) => from + ((to - from) * (value - least)) / (most - least) };
  }

  function rules(x, y, width) {
    const bottom = HEIGHT - EDGE.bottom;
    return [
      ...y.steps.flatMap(({ at, text }) => [
        icon.svg("line", { class: "rule", x1: EDGE.left, x2: width - EDGE.right, y1: y.at(at), y2: y.at(at) }),
        icon.svg("text", { class: "tick", x: EDGE.left - 8, y: y.at(at) + 4, "text-anchor": "end" }, text),
      ]),
      ...x.steps.flatMap(({ at, text }) => [
        icon.svg("line", { class: "rule", x1: x.at(at), x2: x.at(at), y1: EDGE.top, y2: bottom }),
        icon.svg("text", { class: "tick", x: x.at(at), y: bottom + 20, "text-anchor": "middle" }, text),
      ]),
    ];
  }

  function drawing(runs, along, up, width, look) {
    const [across, high] = [along, up].map((measure) => runs.map(measure.of));
    const x = scale(along, across, EDGE.left, width - EDGE.right);
    const y = scale(up, high, HEIGHT - EDGE.bottom, EDGE.top);
    const point = (cell) => {
      const told = [along, up].map((measure) => `${measure.name} ${measures.text(measure, measure.of(cell))}`).join(", ");
      const place = { cx: x.at(along.of(cell)), cy: y.at(up.of(cell)), r: runs.length > CROWD ? 3 : 5 };
      const facts = { class: "point", "data-id": cell.id, ...look(cell), onclick: () => detail.open(cell.id) };
      return icon.svg("circle", { ...facts, ...place }, icon.svg("title", {}, `#${cell.number}  ${told}  ${tile.clip(cell.label, 200)}`));
    };
    const label = `${up.name} against ${along.name} of ${runs.length} runs`;
    return icon.svg(
      "svg",
      { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": label },
      ...rules(x, y, width),
      ...strip.thinned(runs, MOST_POINTS).map(point),
      icon.svg("text", { class: "axis", x: (EDGE.left + width - EDGE.right) / 2, y: HEIGHT - 8, "text-anchor": "middle" }, along.name),
    );
  }

  /** The figure of the runs that have both. `look` gives the attributes by which a run's point is coloured. */
  function figure(cells, along, up, width, look) {
    const runs = cells.filter((cell) => [along, up].every((measure) => measures.figure(measure, cell) !== null));
    return dom.make(
      "figure",
      { "data-measure": up.key },
      dom.make("figcaption", {}, `${strip.titled(up)} against ${along.name}`),
      runs.length ? drawing(runs, along, up, width, look) : dom.make("p", { class: "muted" }, "No run that is shown has both figures yet."),
    );
  }

  return { figure };
})();
