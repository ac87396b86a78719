/** A file as large as its frame allows: an image, a video that the transport loads, or why there is neither. */
const picture = (() => {
  /** The words for a run that has no file to look at. */
  function absent(cell) {
    return dom.make(
      "div",
      { class: "absent" },
      dom.make("strong", {}, cell.status),
      cell.reason ? dom.make("p", { dir: "auto" }, cell.reason) : null,
      cell.hint ? dom.make("p", { class: "muted", dir: "auto" }, cell.hint) : null,
    );
  }

  /** What stands in the place of a file that the browser does not show. */
  function lost({ path, type }) {
    const words = path.startsWith("data:")
      ? `${tile.clip(type, 100)} cannot be played here.`
      : `The file is not there: ${tile.clip(path, 300)}`;
    return dom.make("p", { class: "absent" }, words);
  }

  /** The element for one of a cell's files; words for a cell without any. */
  function make(cell, media) {
    if (!media) return absent(cell);
    const label = `Run ${tile.name(cell)}: ${tile.clip(cell.prompt, 200)}`;
    const onerror = (event) => event.target.replaceWith(lost(media));
    if (!data.isVideo(media)) {
      return dom.make("img", {
        loading: "lazy",
        decoding: "async",
        draggable: "false",
        alt: label,
        onerror,
        src: media.path,
      });
    }
    return dom.make("video", {
      disablepictureinpicture: true,
      tabindex: -1,
      poster: media.poster,
      "data-src": media.path,
      "aria-label": label,
      onerror,
    });
  }

  return { make };
})();
