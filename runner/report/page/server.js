/**
 * Where `runner view` serves the page, every judgement goes to the server at once, and others' come from it. What could
 * not be sent stays in this browser, and is sent as soon as the server is back.
 */
const server = (() => {
  const UNSENT = "runner.unsent:"; // then a record's id
  const LOOK = 4000; // milliseconds between two looks for others' records
  const PAUSE = 300; // milliseconds in which changes of one file become one record
  const MOST = 50; // records that are sent at once
  const queue = []; // records to send, the oldest first
  const refused = new Set(); // ids of records that the server does not take
  const listeners = new Set();
  let address = null;
  let after = 0; // how many of the server's records are known
  let gone = false;
  let sending = null; // ids under way
  let timer = 0;

  const tell = () => listeners.forEach((listener) => listener());

  function keep(record) {
    try {
      localStorage.setItem(UNSENT + record.id, JSON.stringify(record));
    } catch {
      // Then it lasts as long as the page.
    }
  }

  function forget(record) {
    try {
      localStorage.removeItem(UNSENT + record.id);
    } catch {
      // Nothing is kept.
    }
  }

  /** What an earlier page could not send. */
  function left() {
    try {
      const keys = Object.keys(localStorage).filter((key) => key.startsWith(UNSENT));
      const { found } = records.parse(keys.map((key) => localStorage.getItem(key)).join("\n"));
      return found.sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
    } catch {
      return [];
    }
  }

  /** Takes a record to send; what it replaces of what was not sent yet is returned. */
  function send(record) {
    const same = (one) => record.kind === "rating" && one.kind === "rating" && !sending?.has(one.id) &&
      ["rater", "run", "file"].every((key) => one[key] === record[key]);
    const at = queue.findIndex(same);
    const [replaced] = at < 0 ? [null] : queue.splice(at, 1);
    if (replaced) forget(replaced);
    keep(record);
    queue.push(record);
    later();
    tell();
    return replaced;
  }

  function later(wait = PAUSE) {
    clearTimeout(timer);
    timer = setTimeout(flush, wait);
  }

  /** Sends what waits, the oldest first. */
  async function flush(more = {}) {
    const open = queue.filter(({ id }) => !refused.has(id));
    if (sending || !open.length) return;
    await post(open.slice(0, MOST), more);
    if (!gone && queue.some(({ id }) => !refused.has(id))) later(0);
  }

  async function post(list, more = {}) {
    sending = new Set(list.map(({ id }) => id));
    const answer = await ask(address, { method: "POST", body: records.write(list), ...more });
    sending = null;
    if (!answer) return;
    if (answer.ok) return sent(list);
    const why = await reason(answer);
    // Of several, those that are right are still sent.
    if (why && list.length > 1) for (const record of list) await post([record]);
    else if (why) refuse(list[0], why);
    else lose();
  }

  /** Why the server does not take a record; null where it is no longer the one that served this page, or has no room. */
  async function reason(answer) {
    if (answer.status < 400 || answer.status >= 500) return null;
    try {
      return (await answer.json()).error ?? null;
    } catch {
      return null;
    }
  }

  function sent(list) {
    const ids = new Set(list.map(({ id }) => id));
    queue.splice(0, queue.length, ...queue.filter(({ id }) => !ids.has(id)));
    list.forEach(forget);
    tell();
  }

  function refuse(record, why) {
    refused.add(record.id);
    dom.say(`The server does not take this: ${why}. It stays in this browser.`);
    tell();
  }

  /** An answer of the server; null where there is none. */
  async function ask(where, options = {}) {
    try {
      const answer = await fetch(where, { cache: "no-store", ...options });
      return answer;
    } catch {
      lose();
      return null;
    }
  }

  function lose() {
    if (!gone) dom.say("The server is gone: what you judge stays in this browser until it is back.");
    gone = true;
    tell();
  }

  function find() {
    if (gone) dom.say("The server is back.");
    gone = false;
    tell();
    later(0);
  }

  /** Asks for records that are new; a page in the background asks for nothing. */
  async function look(taking) {
    if (document.hidden) return;
    const answer = await ask(`${address}?after=${after}`);
    if (!answer) return;
    if (!answer.ok) return lose();
    const lines = (await answer.text()).split("\n").filter((line) => line.trim());
    after += lines.length;
    if (lines.length) taking(records.parse(lines.join("\n")).found);
    if (gone) find();
  }

  /** Begins, where the page is served; `taking` gets records that come, those that were left first. */
  function begin(taking) {
    const url = store.data.ratings?.url;
    if (!url || !location.protocol.startsWith("http")) return;
    address = new URL(url, location.href.split(/[?#]/)[0]).href;
    for (const record of taking(left())) queue.push(record);
    later();
    const again = () => look(taking).finally(() => setTimeout(again, LOOK));
    again();
    addEventListener("pagehide", () => flush({ keepalive: true }));
  }

  return {
    begin,
    send,
    /** Whether the page is served by `runner view`. */
    get on() {
      return address !== null;
    },
    get gone() {
      return gone;
    },
    get unsent() {
      return queue.length;
    },
    hear: (listener) => listeners.add(listener),
  };
})();
