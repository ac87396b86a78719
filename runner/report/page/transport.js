/**
 * Plays all visible videos by one clock. The loop is as long as the longest of them; a shorter one waits on its last
 * frame. Nothing is loaded before it is needed: in the grid a poster stands until the first play, seek or step, unless it
 * would be enlarged too much.
 */
const transport = (() => {
  const SPEEDS = [0.1, 0.25, 0.5, 1, 1.5, 2, 4];
  const LONGEST_GATHERING = 1500;
  const GIVING_WAY = 100;
  const LARGEST_POSTER = 480; // pixels; larger than that it is blurred, and the first frame is shown instead

  const entries = new Map();
  const state = { playing: false, awake: false, gathering: 0, unmuted: null, only: null, preview: null, round: 0, frame: 0, ticked: 0 };
  const listeners = new Set();

  const observer = new IntersectionObserver((changes) => {
    for (const { target, isIntersecting } of changes) {
      const entry = entries.get(target);
      if (entry) entry.visible = isIntersecting;
    }
    changed();
  });

  const isActive = (entry) => (state.only ? state.only.has(entry.video) : entry.visible);
  const active = () => [...entries.values()].filter(isActive);

  const load = (entry) => {
    const { video } = entry;
    if (video.hasAttribute("src") || !entry.source) return;
    // Before all else, one looks at the file itself, not at its poster.
    const eager = state.awake || Boolean(state.only) || video.clientWidth > LARGEST_POSTER;
    if (!eager && video.poster) return;
    video.preload = eager ? "auto" : "metadata";
    video.src = entry.source;
  };

  const measure = () => {
    const length = Math.max(0, ...active().map(sync.length));
    if (length > 0 && Math.abs(length - clock.length) > 0.001) clock.change({ length });
  };

  const applySound = () => {
    const heard = active().find((entry) => entry.cell.id === state.unmuted && !entry.silent);
    for (const entry of entries.values()) {
      entry.video.muted = entry !== heard;
      entry.video.classList.toggle("is-heard", entry === heard);
    }
  };

  /** What follows from cells coming, going or being scrolled into view. */
  const changed = () => {
    for (const entry of entries.values()) {
      if (isActive(entry)) load(entry);
      else if (!entry.video.paused) entry.video.pause();
    }
    measure();
    applySound();
    if (!state.playing) settle();
    tell();
  };

  const settle = () => {
    if (!state.awake && !state.only) return;
    for (const entry of active()) if (entry !== state.preview) sync.settle(entry, clock.at());
  };

  const tell = () => listeners.forEach((listener) => listener());

  const wake = () => {
    if (state.awake) return;
    state.awake = true;
    active().forEach(load);
  };

  /** Lets the clock stand until every visible video shows the frame that it begins with, but not for long. */
  const gather = () => {
    clock.change({ running: false });
    state.gathering = performance.now() + LONGEST_GATHERING;
    settle();
  };

  const gathered = (now) => now > state.gathering || active().every((entry) => !entry.source || sync.ready(entry));

  const tick = () => {
    // Not the frame's own time: where the machine is busy that is long past, while videos say where they are now.
    const now = performance.now();
    const passed = now - state.ticked;
    state.ticked = now;
    state.frame = 0;
    if (!state.playing) return;
    if (state.gathering) leaveGathering(now);
    else if (clock.ended(now)) return pause();
    else if (clock.round(now) !== state.round) again();
    else follow(now, passed);
    tell();
    request();
  };

  const follow = (now, passed) => {
    const followed = active();
    const position = giveWay(followed, now, passed);
    followed.forEach((entry) => sync.follow(entry, position, clock.speed, now));
  };

  /**
   * Where the machine cannot keep up, or is slow to start, all are late alike: then the clock gives way, not they, the
   * further the longer the last frame of the screen is ago. Returns where it stands now.
   */
  const giveWay = (followed, now, passed) => {
    const position = clock.at(now);
    const missed = (passed / 1000) * clock.speed;
    const drifts = followed.map((entry) => sync.drift(entry, position, missed)).filter((drift) => drift !== null);
    if (!drifts.length) return position;
    const median = drifts.sort((one, other) => one - other)[drifts.length >> 1];
    const given = position + median * (1 - Math.exp(-passed / GIVING_WAY));
    clock.set(given, now);
    state.round = 0;
    return given;
  };

  const leaveGathering = (now) => {
    if (!gathered(now)) return settle();
    state.gathering = 0;
    clock.change({ running: true }, now);
    state.round = clock.round(now);
  };

  const again = () => {
    clock.set(0);
    state.round = 0;
    gather();
  };

  const request = () => {
    if (!state.frame) state.frame = requestAnimationFrame(tick);
  };

  /** Play one video by itself and without a sound while all others stand, until another is told, or null. */
  const preview = (video) => {
    const [before, next] = [state.preview, state.playing || state.only ? null : entries.get(video)];
    state.preview = next ?? null;
    if (before && before !== next) endPreview(before);
    if (!next) return;
    next.video.preload = "auto";
    if (!next.video.hasAttribute("src")) next.video.src = next.source;
    Object.assign(next.video, { muted: true, loop: true, playbackRate: clock.speed });
    next.video.play().catch(() => {}); // it was taken away before it began
  };

  const endPreview = ({ video }) => {
    Object.assign(video, { loop: false });
    video.pause();
    const entry = entries.get(video);
    if (entry) sync.settle(entry, clock.at());
  };

  const play = () => {
    preview(null);
    wake();
    if (clock.at() >= clock.length) clock.set(0);
    state.playing = true;
    gather();
    request();
    tell();
  };

  const pause = () => {
    state.playing = false;
    state.gathering = 0;
    clock.change({ running: false });
    settle();
    tell();
  };

  /** Plays or pauses all visible videos. */
  const toggle = () => (state.playing ? pause() : play());

  /** Goes to a moment, in seconds; what plays goes on from there. */
  const seek = (seconds) => {
    wake();
    clock.set(seconds);
    state.round = 0;
    if (state.playing) gather();
    else settle();
    tell();
  };

  /** Pauses and goes so many frames on or back, by the highest frame rate in view. */
  const step = (frames) => {
    const rate = Math.max(...active().map(sync.fps), 1);
    if (state.playing) pause();
    seek((Math.round(clock.at() * rate) + frames) / rate);
  };

  /** Sets how many seconds of video pass in one. */
  const speed = (value) => {
    clock.change({ speed: Math.min(4, Math.max(0.1, value)) });
    state.round = clock.round();
    tell();
  };

  /** The next faster (1) or slower (-1) speed. */
  const faster = (direction) => {
    const next = SPEEDS.filter((value) => (value - clock.speed) * direction > 0.001);
    if (next.length) speed(direction > 0 ? next[0] : next[next.length - 1]);
    dom.say(`Speed ${clock.speed} ×`);
  };

  /** Begins again at the end, or stays there. */
  const loop = (wanted = !clock.loop) => {
    clock.change({ loop: wanted });
    state.round = clock.round();
    tell();
  };

  /** Lets one cell be heard, or none. */
  const unmute = (id) => {
    state.unmuted = id;
    applySound();
    tell();
  };

  /** Lets the run with the focus be heard; before all else, one after the other; then none. */
  const hear = () => {
    const ids = active().filter((entry) => !entry.silent).map((entry) => entry.cell.id);
    const [wanted, now] = [store.state.focus, ids.indexOf(state.unmuted)];
    if (now >= 0 && state.only) unmute(ids[now + 1] ?? null);
    else if (now >= 0 && (state.unmuted === wanted || !ids.includes(wanted))) unmute(null);
    else unmute(ids.includes(wanted) ? wanted : (ids[0] ?? null));
    const run = store.cell(state.unmuted);
    dom.say(state.unmuted === null ? "No sound" : `${run ? `Run ${run.number}` : state.unmuted} is heard`);
  };

  const listen = (entry) => {
    const { video, signal } = entry;
    video.addEventListener("seeked", () => sync.sought(entry), { signal });
    video.addEventListener("error", changed, { signal });
    video.addEventListener("loadedmetadata", changed, { signal });
    // A poster stands until the first play or seek, also where the first frame is there.
    video.addEventListener("loadeddata", () => video.removeAttribute("poster"), { signal });
  };

  /** Takes a mounted video under the clock; its file is `data-src`, else the cell's first. */
  const attach = (cell, video) => {
    const media = data.media(cell);
    const stop = new AbortController();
    const source = video.dataset.src || (media && media.path);
    const entry = {
      cell,
      video,
      media,
      source,
      silent: video.hasAttribute("data-silent"), // where sound would tell what is hidden
      visible: false,
      wanted: null,
      soughtAt: 0,
      latency: 0.05,
      nudgedAt: 0,
      stop,
      signal: stop.signal,
    };
    Object.assign(video, { muted: true, playsInline: true, loop: false, preload: "none" });
    entries.set(video, entry);
    listen(entry);
    observer.observe(video);
  };

  /** Lets go of a video before it leaves the page, and of what it had loaded. */
  const detach = (video) => {
    const entry = entries.get(video);
    if (!entry) return;
    if (state.preview === entry) state.preview = null;
    entries.delete(video);
    observer.unobserve(video);
    entry.stop.abort();
    video.pause();
    video.removeAttribute("src");
    video.load();
  };

  /** Plays only these videos, in a dialog before the grid; null: what is visible. */
  const only = (videos) => {
    preview(null);
    state.only = videos && new Set(videos);
    changed();
  };

  const onVisibility = () => {
    if (!state.playing) return;
    if (document.hidden) clock.change({ running: false });
    else gather();
  };

  /** Builds the bar. */
  const start = () => {
    document.addEventListener("visibilitychange", onVisibility);
    dock.start();
    tell();
  };

  return {
    start,
    attach,
    detach,
    only,
    toggle,
    preview,
    seek,
    step,
    speed,
    faster,
    loop,
    unmute,
    hear,
    /** Calls `listener` whenever anything of this changes. */
    on: (listener) => listeners.add(listener),
    speeds: SPEEDS,
    get playing() {
      return state.playing;
    },
    get position() {
      return clock.at();
    },
    get length() {
      return clock.length;
    },
    get rate() {
      return clock.speed;
    },
    get looping() {
      return clock.loop;
    },
    get unmuted() {
      return state.unmuted;
    },
    /** Whether the clock waits for videos to come. */
    get gathering() {
      return state.gathering > 0;
    },
    /** Whether there is anything to play. */
    get any() {
      return state.only ? state.only.size > 0 : entries.size > 0;
    },
  };
})();
