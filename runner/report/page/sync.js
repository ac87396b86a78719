/**
 * How one video follows the clock: small drift is made up by its rate, larger drift by a seek, and a video that is
 * shorter than the others stays on its last frame until the clock begins again.
 */
const sync = (() => {
  const SEEK = 0.25;
  const STRONGEST = 0.25;
  const BETWEEN_SEEKS = 400;
  const BETWEEN_NUDGES = 200;

  const known = (video) => Number.isFinite(video.duration) && video.duration > 0;

  /** Seconds that the entry's video lasts, from the file once it is read. */
  const length = ({ video, media }) => (known(video) ? video.duration : (media && media.seconds) || 0);

  /** Frames per second; 24 where nobody knows. */
  const fps = ({ media }) => (media && media.fps) || 24;

  const frame = (entry) => 1 / fps(entry);

  const loaded = ({ video }) => video.readyState >= HTMLMediaElement.HAVE_METADATA && !video.error;

  /** Whether the video shows what it was asked for, or never will. */
  const ready = (entry) =>
    Boolean(entry.video.error) ||
    (entry.video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA && !entry.video.seeking && entry.wanted === null);

  /** Seeks, or keeps the wish until the seek under way is done. */
  const seek = (entry, seconds) => {
    if (!loaded(entry)) return;
    if (entry.video.seeking) {
      entry.wanted = seconds;
      return;
    }
    entry.wanted = null;
    entry.soughtAt = performance.now();
    entry.video.currentTime = seconds;
  };

  /** To be called on `seeked`: learns how long seeks take, and makes the one that was wished for meanwhile. */
  const sought = (entry) => {
    const took = (performance.now() - entry.soughtAt) / 1000;
    entry.latency = entry.latency * 0.6 + Math.min(took, 0.5) * 0.4;
    if (entry.wanted !== null) seek(entry, entry.wanted);
  };

  const play = (entry) => {
    const started = entry.video.play();
    if (started) started.catch(() => {});
  };

  /** The last moment at which there is a frame. */
  const last = (entry) => Math.max(0, length(entry) - frame(entry) / 2);

  /** Keeps a video on its last frame; one that plays and is nearly there comes there by itself. */
  const hold = (entry) => {
    const { video } = entry;
    const missing = last(entry) - video.currentTime;
    if (missing > 0 && missing <= SEEK && !video.paused) return;
    if (!video.paused) video.pause();
    if (missing > frame(entry) / 2) seek(entry, last(entry));
  };

  const start = (entry, position, speed) => {
    const { video } = entry;
    video.playbackRate = speed;
    if (video.seeking) return;
    if (Math.abs(video.currentTime - position) > frame(entry)) seek(entry, position + entry.latency * speed);
    play(entry);
  };

  const nudge = (entry, drift, speed, now) => {
    // Each change of the rate costs the player something.
    if (now - entry.nudgedAt < BETWEEN_NUDGES && entry.video.playbackRate > speed / 2) return;
    entry.nudgedAt = now;
    const tolerance = Math.min(frame(entry), 0.04);
    const nudged = entry.video.playbackRate !== speed;
    const needed = Math.abs(drift) > (nudged ? tolerance / 4 : tolerance);
    const correction = needed ? Math.max(-STRONGEST, Math.min(STRONGEST, -2 * drift)) : 0;
    const rate = speed * (1 + Math.round(correction * 20) / 20);
    if (Math.abs(entry.video.playbackRate - rate) > 0.001) entry.video.playbackRate = rate;
  };

  /** Brings a playing video to where the clock is; called for every frame of the screen. */
  const follow = (entry, position, speed, now) => {
    const { video } = entry;
    if (!loaded(entry)) return;
    if (position >= last(entry)) hold(entry);
    else if (video.paused || video.ended) start(entry, position, speed);
    else if (!video.seeking) correct(entry, position, speed, now);
  };

  const correct = (entry, position, speed, now) => {
    const drift = entry.video.currentTime - position;
    if (Math.abs(drift) <= SEEK) nudge(entry, drift, speed, now);
    else if (now - entry.soughtAt > BETWEEN_SEEKS) seek(entry, position + entry.latency * speed);
  };

  /**
   * Seconds that a playing video is ahead of the clock; null where it does not tell, as it waits or is further off than
   * what it may have missed in the `missed` seconds since it was last asked.
   */
  const drift = (entry, position, missed) => {
    const { video } = entry;
    if (!loaded(entry) || video.paused || video.seeking || position >= last(entry)) return null;
    const seconds = video.currentTime - position;
    return Math.abs(seconds) < 2 * SEEK + missed ? seconds : null;
  };

  /** Stops a video at the frame that the clock stands on. */
  const settle = (entry, position) => {
    if (!loaded(entry)) return;
    if (!entry.video.paused) entry.video.pause();
    // A millisecond more than a frame's beginning: browsers count in microseconds and would show the frame before.
    const target = Math.min(position + 0.001, last(entry));
    if (entry.wanted !== null || Math.abs(entry.video.currentTime - target) > 0.002) seek(entry, target);
  };

  return { length, fps, ready, sought, follow, drift, settle };
})();
