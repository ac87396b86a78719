/**
 * One zoom for all pictures: what is looked at in one is looked at in all. The state is three CSS properties on the
 * root, in fractions of each picture's own box, so that cells which are mounted later are zoomed like the rest.
 */
const zoom = (() => {
  const DEEPEST = 16;
  const state = { scale: 1, x: 0, y: 0 };
  const attached = new Map();
  const parts = {};

  const clamp = (value, least, most) => Math.min(most, Math.max(least, value));

  /** Moves the pictures; they never leave their frames. */
  function set({ scale = state.scale, x = state.x, y = state.y }) {
    state.scale = clamp(scale, 1, DEEPEST);
    state.x = clamp(x, 1 - state.scale, 0);
    state.y = clamp(y, 1 - state.scale, 0);
    const style = document.documentElement.style;
    style.setProperty("--zoom", state.scale.toFixed(4));
    style.setProperty("--zoom-x", `${(100 * state.x).toFixed(3)}%`);
    style.setProperty("--zoom-y", `${(100 * state.y).toFixed(3)}%`);
    document.documentElement.classList.toggle("is-zoomed", state.scale > 1);
    show();
  }

  /** Zooms by a factor around a point, in fractions of the frame. */
  function by(factor, point = { x: 0.5, y: 0.5 }) {
    const scale = clamp(state.scale * factor, 1, DEEPEST);
    const real = scale / state.scale;
    set({ scale, x: point.x - (point.x - state.x) * real, y: point.y - (point.y - state.y) * real });
  }

  /** Moves by fractions of the frame. */
  function pan(dx, dy) {
    set({ x: state.x + dx, y: state.y + dy });
  }

  /** Shows whole pictures again. */
  function reset() {
    set({ scale: 1, x: 0, y: 0 });
  }

  function fraction(frame, event) {
    const box = frame.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  }

  /** In the grid a bare wheel scrolls the page; in a dialog there is nothing to scroll. */
  function onWheel(frame, event) {
    if (!event.ctrlKey && !event.altKey && !frame.closest("dialog")) return;
    event.preventDefault();
    by(Math.exp(-clamp(event.deltaY, -80, 80) / (event.ctrlKey ? 100 : 300)), fraction(frame, event));
  }

  /** Dragging with one pointer pans, with two it zooms around their middle. */
  function gestures(frame, signal) {
    const held = new Map();
    let moved = 0;

    const middle = () => {
      const points = [...held.values()];
      const sum = points.reduce((all, point) => ({ x: all.x + point.x, y: all.y + point.y }), { x: 0, y: 0 });
      return { x: sum.x / points.length, y: sum.y / points.length };
    };
    const spread = () => {
      const [one, two] = [...held.values()];
      return two ? Math.hypot(one.x - two.x, one.y - two.y) : 0;
    };

    function down(event) {
      if (event.button !== 0 || event.target.closest("button, a, [role=slider]")) return;
      addEventListener("pointerup", up);
      addEventListener("pointercancel", up);
      held.set(event.pointerId, fraction(frame, event));
      moved = 0;
    }

    function move(event) {
      if (!held.has(event.pointerId) || (held.size < 2 && state.scale === 1)) return;
      const [before, apart] = [middle(), spread()];
      held.set(event.pointerId, fraction(frame, event));
      const [after, now] = [middle(), spread()];
      moved += Math.abs(after.x - before.x) + Math.abs(after.y - before.y);
      pan(after.x - before.x, after.y - before.y);
      if (apart && now) by(now / apart, after);
      if (moved > 0.02 && !frame.hasPointerCapture(event.pointerId)) frame.setPointerCapture(event.pointerId);
    }

    // A pointer may be let go outside of the frame.
    function up(event) {
      held.delete(event.pointerId);
      if (held.size) return;
      removeEventListener("pointerup", up);
      removeEventListener("pointercancel", up);
    }

    // A drag ends in a click that nobody meant.
    const click = (event) => {
      if (moved > 0.02) event.stopPropagation();
      moved = 0;
    };

    frame.addEventListener("pointerdown", down, { signal });
    frame.addEventListener("pointermove", move, { signal });
    frame.addEventListener("click", click, { signal, capture: true });
    frame.addEventListener("dragstart", (event) => event.preventDefault(), { signal });
  }

  /** Lets a picture, which fills its parent, zoom with the others. */
  function attach(picture) {
    const frame = picture.parentElement;
    const stop = new AbortController();
    attached.set(picture, stop);
    picture.classList.add("zoomable");
    frame.classList.add("zoom-frame");
    frame.addEventListener("wheel", (event) => onWheel(frame, event), { passive: false, signal: stop.signal });
    gestures(frame, stop.signal);
    show();
  }

  /** Lets go of a picture before it leaves the page. */
  function detach(picture) {
    attached.get(picture)?.abort();
    attached.delete(picture);
  }

  function show() {
    if (!parts.text) return;
    parts.text.textContent = `${Math.round(100 * state.scale)} %`;
    parts.reset.disabled = state.scale === 1;
  }

  /** Builds the controls. */
  function start() {
    parts.text = dom.make("span");
    parts.reset = dom.make(
      "button",
      { type: "button", class: "zoom-reset", title: "Whole pictures  0", "aria-label": "Reset zoom", onclick: reset },
      parts.text,
    );
    const group = dom.make(
      "div",
      { class: "dock-group dock-zoom", role: "group", "aria-label": "Zoom" },
      icon.button("minus", "Zoom out", () => by(1 / 1.5)),
      parts.reset,
      icon.button("plus", "Zoom in", () => by(1.5)),
    );
    dock.add(group, 2);
    show();
  }

  return {
    start,
    attach,
    detach,
    reset,
    by,
    pan,
    /** How far the pictures are zoomed: 1 shows them whole. */
    get scale() {
      return state.scale;
    },
  };
})();
