/** Why a browser does not show a file, or not all of it: it is missing, of a codec that it lacks, or damaged. */
const fault = (() => {
  // FFmpeg's names of codecs, as a browser is asked for them.
  const CODECS = {
    h264: "avc1.42E01E", hevc: "hvc1.1.6.L93.B0", av1: "av01.0.05M.08", vp9: "vp09.00.10.08", vp8: "vp8", mpeg4: "mp4v.20.8",
    prores: "apch",
  };
  const NAMES = { h264: "H.264", hevc: "HEVC (H.265)", av1: "AV1", vp9: "VP9", vp8: "VP8", mpeg4: "MPEG-4", prores: "ProRes" };
  const IMAGES = ["image/png", "image/jpeg", "image/webp", "image/gif", "image/svg+xml"]; // what every browser decodes
  // What browsers say where there was nothing to read. Of a file on a disk, they tell no more than that.
  const NOTHING_READ = /Format error|not found|^404|NS_ERROR_(FILE|NET)|Failed to open media/i;
  const EARLY = 0.3; // seconds before its end at which an undamaged video does not stop

  const plays = (type) => document.createElement("video").canPlayType(type) !== "";

  /** The name of the codec that keeps the browser from showing a file; null where none does. */
  function foreign({ type, video_codec: codec }) {
    const name = NAMES[codec] ?? codec;
    if (!data.isVideo({ type })) return IMAGES.includes(type) ? null : type;
    if (CODECS[codec]) return plays(`${type}; codecs="${CODECS[codec]}"`) ? null : name;
    return plays(type) ? (codec ? name : null) : name ?? type;
  }

  const inside = ({ path }) => path.startsWith("data:");

  /** What is wrong, in a sentence, of a file that failed as `error` says; null of an image, which says nothing. */
  function words(media, error) {
    const name = tile.clip(media.path.split("/").pop(), 100);
    if (error?.code === MediaError.MEDIA_ERR_DECODE) return "Damaged: the file cannot be decoded to its end.";
    if (!inside(media) && error && NOTHING_READ.test(error.message)) return `The file is not there: ${tile.clip(media.path, 300)}`;
    if (foreign(media)) return `This browser cannot decode ${tile.clip(foreign(media), 100)}.`;
    return inside(media) ? `Damaged: ${tile.clip(media.type, 100)} that cannot be decoded.` : `Damaged: ${name} cannot be decoded.`;
  }

  /** Ask a video element, which tells a missing file from one that it cannot decode, as an image does not. */
  function probed({ path }) {
    return new Promise((done) => {
      const video = document.createElement("video");
      video.addEventListener("error", () => done(video.error));
      video.addEventListener("loadedmetadata", () => done(null));
      Object.assign(video, { preload: "metadata", muted: true, src: path });
    });
  }

  /** Why an element does not show its file: {words, there}. */
  async function why(media, element) {
    const error = element.error ?? (await probed(media));
    const said = words(media, error);
    return { words: said, there: !said.startsWith("The file is not there") };
  }

  /** The second at which a video has stopped before its end; null where it has not. */
  function stopped(video) {
    const { currentTime, duration } = video;
    return video.ended && Number.isFinite(duration) && currentTime < duration - EARLY ? currentTime : null;
  }

  return { why, stopped };
})();
