/** Watches a sweep that is under way: takes newer data from a hidden copy of the page, which plays on undisturbed. */
const refresh = (() => {
  const STALE = 60; // seconds without a newer copy after which the sweep seems to have stopped
  const PATIENCE = 20000; // milliseconds that a copy may take to load
  let frame = null;
  let asked = 0;
  let pause = 0;
  let timer = 0;

  /** In the hidden copy: hand the data to the page that asked, and do nothing else. */
  function isCopy() {
    if (location.search !== "?data" || window.parent === window) return false;
    // A file has no origin by which it could be told from others.
    const target = location.protocol === "file:" ? "*" : location.origin;
    window.parent.postMessage({ gallery: document.getElementById("data").textContent }, target);
    return true;
  }

  function start() {
    addEventListener("message", receive);
    store.on((changed) => { if (changed.has("data")) tell(); });
    setInterval(tell, 1000);
    tell();
    next();
  }

  const age = () => (Date.now() - Date.parse(store.data.made_at)) / 1000;
  const stale = () => !store.data.complete && age() > Math.max(STALE, 20 * store.data.refresh_seconds);

  function next() {
    clearTimeout(timer);
    if (store.data.complete) return;
    const wait = 1000 * (store.data.refresh_seconds || 3) * (stale() ? 10 : 1);
    timer = setTimeout(load, Math.max(wait, pause));
  }

  /** Load the copy; a page in the background asks for nothing. */
  function load() {
    if (document.hidden) return next();
    frame?.remove();
    asked = performance.now();
    const only = { hidden: true, tabindex: -1, sandbox: "allow-scripts" };
    frame = dom.make("iframe", { ...only, title: "Newer data", src: "?data" });
    document.body.append(frame);
    timer = setTimeout(next, PATIENCE); // a copy that was half written, or is gone
  }

  function receive(event) {
    if (!frame || event.source !== frame.contentWindow || typeof event.data?.gallery !== "string") return;
    frame.remove();
    frame = null;
    take(event.data.gallery);
    pause = 10 * (performance.now() - asked); // a large page is asked for less often
    next();
  }

  function take(text) {
    const made = JSON.parse(text);
    if (made.version !== store.data.version) location.reload();
    else if (made.made_at !== store.data.made_at) store.replaceData(made);
  }

  /** Say how fresh the page is, and what to type where nothing comes any more. */
  function tell() {
    const line = document.getElementById("freshness");
    if (stale()) return stopped(line);
    delete line.dataset.stale;
    const written = store.data.complete ? `Written ${when(store.data.made_at)}` : `Running · written ${ago(age())}`;
    const words = [written, ...store.data.sweeps.map((sweep) => sweep.stored)].filter(Boolean).join(" · ");
    if (line.textContent !== words) line.textContent = line.title = words;
  }

  const when = (text) => new Date(text).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

  /** Built once: then only the age changes, so that nothing is spoken again and no button loses the focus. */
  function stopped(line) {
    const commands = store.data.sweeps.map((sweep) => sweep.resume).filter(Boolean);
    const wanted = commands.join("\n");
    if (line.dataset.stale !== wanted) {
      line.dataset.stale = wanted;
      const alarm = dom.make("strong", { role: "alert" }, "the sweep seems to have stopped.");
      const words = [dom.make("span", { class: "age" }), alarm, commands.length ? " To go on:" : null];
      line.replaceChildren(dom.make("span", {}, ...words), ...commands.map((text) => dom.command(text)));
    }
    const [shown, said] = [line.querySelector(".age"), `Last written ${ago(age())}; `];
    if (shown.textContent !== said) shown.textContent = said;
  }

  function ago(seconds) {
    if (seconds < 2) return "just now";
    if (seconds < 60) return `${Math.floor(seconds)} s ago`;
    const [size, unit] = seconds < 7200 ? [60, "minute"] : seconds < 172800 ? [3600, "hour"] : [86400, "day"];
    const count = Math.floor(seconds / size);
    return `${count} ${unit}${count > 1 ? "s" : ""} ago`;
  }

  return { isCopy, start };
})();
