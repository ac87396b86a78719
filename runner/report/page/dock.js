/**
 * The bar at the page's foot: what plays, steps and scrubs. It follows into a dialog, which makes the rest inert.
 */
const dock = (() => {
  const parts = {};
  let home = null;

  const container = () => document.getElementById("transport");

  const scrub = () =>
    dom.make("input", {
      type: "range",
      class: "scrub",
      min: 0,
      max: 1,
      step: 0.001,
      value: 0,
      "aria-label": "Position",
      oninput: (event) => transport.seek(Number(event.target.value)),
    });

  const speeds = () =>
    dom.make(
      "select",
      {
        class: "speed",
        "aria-label": "Speed",
        title: "Speed  [ ]",
        onchange: (event) => transport.speed(Number(event.target.value)),
      },
      ...transport.speeds.map((speed) => dom.make("option", { value: speed }, `${speed}×`)),
    );

  const playback = () => {
    parts.play = icon.button("play", "Play", () => transport.toggle(), {
      class: "icon-button play",
      "aria-keyshortcuts": "Space",
    });
    parts.scrub = scrub();
    parts.time = dom.make("output", { class: "time", "aria-live": "off" });
    parts.speed = speeds();
    parts.loop = icon.button("loop", "Loop", () => transport.loop(), { "aria-keyshortcuts": "L" });
    parts.sound = icon.button("silent", "Hear one video", () => transport.hear(), {
      class: "icon-button sound",
      "aria-keyshortcuts": "M",
    });
    return dom.make(
      "div",
      { class: "dock-group dock-playback", role: "group", "aria-label": "Playback" },
      icon.button("back", "One frame back", () => transport.step(-1), { class: "icon-button step" }),
      parts.play,
      icon.button("forward", "One frame on", () => transport.step(1), { class: "icon-button step" }),
      parts.scrub,
      parts.time,
      parts.speed,
      parts.loop,
      parts.sound,
    );
  };

  const text = (seconds) => seconds.toFixed(1);

  const showTime = () => {
    const { position, length } = transport;
    if (parts.scrub.max !== String(length || 1)) parts.scrub.max = String(length || 1);
    parts.scrub.value = String(position);
    parts.scrub.style.setProperty("--done", `${length ? (100 * position) / length : 0}%`);
    const said = `${text(position)} / ${text(length)} s`;
    if (parts.time.textContent === said) return;
    parts.time.textContent = said;
    parts.scrub.setAttribute("aria-valuetext", `${text(position)} of ${text(length)} seconds`);
  };

  const show = () => {
    parts.group.hidden = !transport.any;
    icon.relabel(parts.play, transport.playing ? "pause" : "play", transport.playing ? "Pause" : "Play");
    icon.relabel(parts.sound, transport.unmuted ? "sound" : "silent", transport.unmuted ? "Mute" : "Hear one video");
    parts.loop.setAttribute("aria-pressed", String(transport.looping));
    if (Number(parts.speed.value) !== transport.rate) parts.speed.value = String(transport.rate);
    showTime();
  };

  /** Puts a group of controls into the bar, in the order of `place`. */
  const add = (group, place) => {
    group.style.order = String(place);
    container().append(group);
    return group;
  };

  /** Lends the bar, and the line that says what was done, to a dialog; null brings them home. */
  const lend = (parent) => {
    const lent = [container(), document.getElementById("status")];
    if (!home) {
      home = document.createComment("the bar's home");
      container().before(home);
    }
    if (parent) parent.append(...lent);
    else home.after(...lent);
  };

  /** Builds the playback controls. */
  const start = () => {
    parts.group = add(playback(), 1);
    transport.on(show);
  };

  return { start, add, lend };
})();
