/** Icons and other drawings in SVG, made element by element. */
const icon = (() => {
  const SVG = "http://www.w3.org/2000/svg";

  /** The strokes of each icon on a 24 × 24 grid. */
  const STROKES = {
    play: "M8 5v14l11-7z",
    pause: "M8 5v14M16 5v14",
    back: "M17 6l-8 6 8 6zM6 6v12",
    forward: "M7 6l8 6-8 6zM18 6v12",
    loop: "M17 2l4 4-4 4M3 12v-2a4 4 0 0 1 4-4h14M7 22l-4-4 4-4M21 12v2a4 4 0 0 1-4 4H3",
    close: "M6 6l12 12M18 6L6 18",
    left: "M15 5l-7 7 7 7",
    right: "M9 5l7 7-7 7",
    star: "M12 3l2.7 5.8 6.3.8-4.6 4.4 1.2 6.3L12 17.2 6.4 20.3l1.2-6.3L3 9.6l6.3-.8z",
    reject: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM5.7 5.7l12.6 12.6",
    copy: "M9 9h11v11H9zM5 15H4V4h11v1",
    sound: "M4 9v6h4l5 4V5L8 9zM16.5 8.5a5 5 0 0 1 0 7M19 6a9 9 0 0 1 0 12",
    silent: "M4 9v6h4l5 4V5L8 9zM17 9l5 6M22 9l-5 6",
    compare: "M12 3v18M4 6h5v12H4zM15 6h5v12h-5z",
    expand: "M14 4h6v6M20 4l-7 7M10 20H4v-6M4 20l7-7",
    swap: "M7 4v14M3 14l4 4 4-4M17 20V6M13 10l4-4 4 4",
    minus: "M6 12h12",
    plus: "M6 12h12M12 6v12",
    save: "M12 3v12M7 10l5 5 5-5M4 20h16",
    load: "M12 15V3M7 8l5-5 5 5M4 20h16",
    person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 20c1-4 4.5-6 8-6s7 2 8 6",
    pairs: "M3 5h8v14H3zM13 5h8v14h-8zM6.5 11l1.5 2 1-3M16 12h2",
    keys: "M3 6h18v12H3zM7 10h.01M11 10h.01M15 10h.01M8 14h8",
  };

  /** An SVG element; children are elements or text. */
  function svg(tag, attributes = {}, ...children) {
    const element = dom.set(document.createElementNS(SVG, tag), attributes);
    element.append(...children);
    return element;
  }

  /** An icon that screen readers pass over. */
  function draw(name) {
    return svg(
      "svg",
      { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" },
      svg("path", { d: STROKES[name] ?? "" }),
    );
  }

  /** A button with an icon, its name for screen readers and on hovering. */
  function button(name, label, onclick, more = {}) {
    return dom.make(
      "button",
      { type: "button", class: "icon-button", "aria-label": label, title: label, onclick, ...more },
      draw(name),
    );
  }

  /** Lets a button show another icon and name. */
  function relabel(element, name, label) {
    if (element.getAttribute("aria-label") === label) return;
    element.replaceChildren(draw(name));
    dom.set(element, { "aria-label": label, title: label });
  }

  return { svg, draw, button, relabel };
})();
