/** Elements made of text and attributes alone, so that nothing in the data is ever read as HTML. */
const dom = (() => {
  /** Set attributes: null and false take one away, true sets it empty, functions are listeners ("onclick"). */
  function set(element, attributes) {
    for (const [name, value] of Object.entries(attributes)) {
      if (typeof value === "function") element.addEventListener(name.slice(2), value);
      else if (value === null || value === undefined || value === false) element.removeAttribute(name);
      else element.setAttribute(name, value === true ? "" : String(value));
    }
    return element;
  }

  /** Make an element; children are elements or text, null is left out. */
  function make(tag, attributes = {}, ...children) {
    const element = set(document.createElement(tag), attributes);
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  }

  /** A push button with a text, and a label for those who cannot see an icon. */
  function button(text, label, onclick, more = {}) {
    return make("button", { type: "button", "aria-label": label, title: label, onclick, ...more }, text);
  }

  /** Say something to screen readers, and to everybody for a moment. */
  function say(text) {
    const status = document.getElementById("status");
    (document.querySelector("dialog[open]") ?? document.body).append(status); // what is outside a dialog is inert
    status.textContent = "";
    requestAnimationFrame(() => { status.textContent = text; });
    clearTimeout(say.timer);
    say.timer = setTimeout(() => { status.textContent = ""; }, 4000);
  }

  /** Copy a text and say so; `what` names it in a word or two. Resolves to whether it worked. */
  async function copy(text, what) {
    const copied = (await written(text)) || selected(text);
    say(copied ? `Copied: ${what}` : `Could not copy: ${what}`);
    return copied;
  }

  async function written(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return false; // on file:// a browser may have no clipboard for pages
    }
  }

  function selected(text) {
    const focused = document.activeElement;
    const area = make("textarea", { readonly: true, class: "unseen", "aria-hidden": "true" });
    area.value = text;
    (focused?.closest("dialog") ?? document.body).append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    focused?.focus({ preventScroll: true });
    return copied;
  }

  /** A command in a line of its own, with a button that copies it. */
  function command(text, what = "the command") {
    const take = (event) => { event.stopPropagation(); copy(text, what); };
    return make("div", { class: "command" }, make("code", {}, text), icon.button("copy", `Copy ${what}`, take));
  }

  return { make, set, button, say, copy, command };
})();
