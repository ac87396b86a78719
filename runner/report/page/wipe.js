/** Two pictures in one frame, and a slider that says how much of the first is seen; for pointers and keys. */
const wipe = (() => {
  const STEPS = { ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, PageDown: -10, PageUp: 10 };
  let share = 50;

  /** Makes the stage of two pictures, the second behind the first. */
  function make(first, second) {
    const slider = dom.make(
      "div",
      {
        class: "wipe-handle",
        role: "slider",
        tabindex: 0,
        "aria-label": "How much of A is shown",
        "aria-valuemin": 0,
        "aria-valuemax": 100,
        "aria-orientation": "horizontal",
      },
      dom.make("span", { class: "wipe-grip", "aria-hidden": "true" }),
    );
    const stage = dom.make(
      "div",
      { class: "wipe-stage" },
      dom.make("div", { class: "wipe-layer" }, second),
      dom.make("div", { class: "wipe-layer wipe-upper" }, first),
      slider,
      dom.make("span", { class: "wipe-name wipe-a", "aria-hidden": "true" }, "A"),
      dom.make("span", { class: "wipe-name wipe-b", "aria-hidden": "true" }, "B"),
    );
    listen(stage, slider);
    set(stage, slider, share);
    return stage;
  }

  function set(stage, slider, value) {
    share = Math.min(100, Math.max(0, value));
    stage.style.setProperty("--wipe", `${share}%`);
    slider.setAttribute("aria-valuenow", String(Math.round(share)));
    slider.setAttribute("aria-valuetext", `${Math.round(share)} % of A`);
  }

  function listen(stage, slider) {
    const drag = (event) => {
      const box = stage.getBoundingClientRect();
      set(stage, slider, (100 * (event.clientX - box.left)) / box.width);
    };
    stage.addEventListener(
      "pointerdown",
      (event) => {
        const onHandle = event.target.closest("[role=slider]");
        // Zoomed pictures are dragged; then only the handle wipes.
        if (event.button !== 0 || (zoom.scale > 1 && !onHandle)) return;
        event.preventDefault();
        event.stopPropagation();
        slider.focus();
        slider.setPointerCapture(event.pointerId);
        drag(event);
      },
      { capture: true },
    );
    slider.addEventListener("pointermove", (event) => {
      if (slider.hasPointerCapture(event.pointerId)) drag(event);
    });
    slider.addEventListener("keydown", (event) => onKey(event, (value) => set(stage, slider, value)));
  }

  function onKey(event, move) {
    const wanted = { Home: 0, End: 100 }[event.key] ?? (event.key in STEPS ? share + STEPS[event.key] : null);
    if (wanted === null) return;
    event.preventDefault();
    event.stopPropagation();
    move(wanted);
  }

  return { make };
})();
