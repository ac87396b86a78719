/** A file as large as its frame allows: an image, a video that the transport loads, or why there is neither. */
const picture = (() => {
  /** The words for a run that has no file to look at. */
  function absent(cell) {
    return dom.make(
      "div",
      { class: "absent" },
      dom.make("strong", {}, tile.WORDS[cell.group] ?? cell.status),
      cell.reason ? dom.make("p", { dir: "auto" }, cell.reason) : null,
      cell.hint ? dom.make("p", { class: "muted", dir: "auto" }, cell.hint) : null,
    );
  }

  /** A link to a file as it lies beside the page, or in it; what the browser cannot show, it offers to keep. */
  function link({ path, type }, text) {
    const isInside = path.startsWith("data:");
    const name = isInside ? `file.${type.split("/").pop().replace(/\W.*/, "")}` : path.split("/").pop();
    return dom.make("a", { class: "file-link", href: path, download: decoded(name), target: "_blank", rel: "noopener" }, text);
  }

  function decoded(address) {
    try {
      return decodeURIComponent(address);
    } catch {
      return address;
    }
  }

  /** What stands in the place of a file that the browser does not show: its poster, why, and a way to the file. */
  function lost(media, label, { words, there }) {
    const poster = dom.make("img", { src: media.poster, alt: label, draggable: "false" });
    poster.addEventListener("error", () => poster.remove());
    return dom.make(
      "div",
      { class: "lost" },
      media.poster ? poster : null,
      dom.make("p", { class: "flaw" }, words, there ? link(media, "Open the file") : null),
    );
  }

  /** Put the reason in an element's place as soon as it is known. */
  async function give(element, media, label) {
    const why = await fault.why(media, element);
    if (element.isConnected) element.replaceWith(lost(media, label, why));
  }

  /** Say of a video that plays and has stopped early that the rest is missing. */
  function watch(video) {
    const look = () => {
      if (fault.stopped(video) === null || video.parentElement.querySelector(".flaw")) return;
      const words = `Damaged: nothing can be decoded at ${data.seconds(video.currentTime)} of ${data.seconds(video.duration)}.`;
      video.after(dom.make("p", { class: "flaw" }, words));
    };
    for (const name of ["ended", "seeked"]) video.addEventListener(name, look);
  }

  /** The element for one of a cell's files; words for a cell without any. */
  function make(cell, media) {
    if (!media) return absent(cell);
    const label = `Run ${tile.name(cell)}: ${tile.clip(cell.prompt, 200)}`;
    const onerror = (event) => give(event.target, media, label);
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
    const video = dom.make("video", {
      disablepictureinpicture: true,
      tabindex: -1,
      poster: media.poster,
      "data-src": media.path,
      "aria-label": label,
      onerror,
    });
    watch(video);
    return video;
  }

  return { make, link, decoded };
})();
