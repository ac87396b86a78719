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

  function lost(event) {
    const name = event.target.dataset.path;
    event.target.replaceWith(dom.make("p", { class: "absent" }, `The file is not there: ${name}`));
  }

  /** The element for one of a cell's files; words for a cell without any. */
  function make(cell, media) {
    if (!media) return absent(cell);
    const label = `Run ${cell.number}: ${tile.clip(cell.label || cell.prompt, 200)}`;
    const path = tile.clip(media.path, 300);
    if (!data.isVideo(media)) {
      return dom.make("img", { src: media.path, alt: label, draggable: "false", "data-path": path, onerror: lost });
    }
    return dom.make("video", {
      poster: media.poster,
      "data-src": media.path,
      "data-path": path,
      "aria-label": label,
      tabindex: -1,
      onerror: lost,
    });
  }

  return { make };
})();
