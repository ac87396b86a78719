/**
 * A cell's config as text to keep: YAML for the command line, Python for programs.
 *
 * Every text is written so that it is read back as it was, whatever it holds.
 */
const recipes = (() => {
  const PLAIN = /^[A-Za-z][A-Za-z0-9_./-]*$/;
  const RESERVED = /^(y|n|yes|no|on|off|true|false|null)$/i;
  // Beyond JSON's own: what YAML takes for line breaks or refuses, and what changes the direction or is not seen.
  const UNSEEN = /[\u007f-\u00a0\u00ad\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\uffff]/g;
  // What Python wrote in place of a text that is too long to be looked at, and OmegaConf's mark.
  const SHORTENED = /^.{40,80}… \([\d,]+ characters\)$/su;
  const MISSING = "???";
  const FILLED = /^(run|vars)(\.|$)/;
  const NAMED = ["vllm_omni", "sglang", "litellm"];

  const escaped = (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

  /** A text that OmegaConf takes for itself and not for an interpolation. */
  const uninterpolated = (text) => text.replace(/(\\*)\$\{/g, "$1$1\\${");

  /** A text in double quotes, read alike by YAML, Python and JSON. */
  const quoted = (text) => JSON.stringify(text).replace(UNSEEN, escaped);

  const isEmpty = (value) => typeof value === "object" && value !== null && Object.keys(value).length === 0;
  const isTree = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

  /** The config of a cell, nested as it was composed, without what its prompt was filled from: it would be again. */
  function config(cell) {
    const tree = {};
    for (const [key, value] of Object.entries({ ...store.data.shared, ...cell.own }))
      if (!FILLED.test(key)) graft(tree, key.split("."), value);
    return tree;
  }

  function graft(tree, path, value) {
    let node = tree;
    for (const part of path.slice(0, -1)) {
      if (!Object.hasOwn(node, part) || !isTree(node[part])) Object.defineProperty(node, part, own({}));
      node = node[part];
    }
    Object.defineProperty(node, path[path.length - 1], own(value));
  }

  // A key may be called like something that every object inherits.
  const own = (value) => ({ value, enumerable: true, writable: true, configurable: true });

  function number(value) {
    const text = String(value);
    return /^-?\d+e/.test(text) ? text.replace("e", ".0e") : text;
  }

  function scalar(value) {
    if (typeof value === "number") return number(value);
    if (typeof value !== "string") return String(value);
    return PLAIN.test(value) && !RESERVED.test(value) ? value : quoted(uninterpolated(value));
  }

  function flow(value) {
    if (Array.isArray(value)) return `[${value.map(flow).join(", ")}]`;
    if (!isTree(value)) return scalar(value);
    return `{${Object.entries(value)
      .map(([key, child]) => `${quoted(key)}: ${flow(child)}`)
      .join(", ")}}`;
  }

  function block(tree, indent) {
    return Object.entries(tree).flatMap(([key, value]) => {
      const name = `${indent}${PLAIN.test(key) && !RESERVED.test(key) ? key : quoted(key)}:`;
      return isTree(value) && !isEmpty(value) ? [name, ...block(value, `${indent}  `)] : [`${name} ${flow(value)}`];
    });
  }

  /** What keeps a value from being written as it is, in a word or two; null where nothing does. */
  function obstacle(value) {
    if (typeof value === "number" && Math.abs(value) > Number.MAX_SAFE_INTEGER) return "a number of too many digits";
    if (value === MISSING) return `a text that Hydra takes for a missing value: ${MISSING}`;
    if (typeof value === "string" && SHORTENED.test(value)) return "a text too long for this page";
    if (typeof value !== "object" || value === null) return null;
    return Object.values(value).map(obstacle).find(Boolean) ?? null;
  }

  /** Why the page cannot tell a cell's whole config; null where it can. */
  function flaw(cell) {
    for (const [key, value] of Object.entries({ ...store.data.shared, ...cell.own }))
      if (obstacle(value)) return `${key} is ${obstacle(value)}`;
    return null;
  }

  /** The config as a file for `python -m runner --config-dir . --config-name NAME`; a consent is not repeated. */
  function yaml(cell) {
    return [
      "# Keep it as run.yaml, then: python -m runner --config-dir . --config-name run",
      "defaults: [_self_, {hydra: default}]",
      ...block({ ...config(cell), yes: false }, ""),
      "",
    ].join("\n");
  }

  function literal(value) {
    if (value === null || value === undefined) return "None";
    if (typeof value === "boolean") return value ? "True" : "False";
    if (typeof value === "string") return quoted(value);
    if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
    if (!isTree(value)) return number(value);
    return `{${Object.entries(value)
      .map(([key, child]) => `${quoted(key)}: ${literal(child)}`)
      .join(", ")}}`;
  }

  const said = (tree, left) =>
    Object.entries(tree).filter(([key, value]) => value !== null && !isEmpty(value) && !left.includes(key));

  const call = (name, pairs, indent) =>
    [`${name}(`, ...pairs.map(([key, text]) => `${indent}    ${key}=${text},`), `${indent})`].join("\n");

  /** The option of conf/provider/: compatible servers that have one of their own are known by their dialect. */
  const option = ({ kind, dialect }) => (kind === "compatible" && NAMED.includes(dialect) ? dialect : kind);

  function place({ provider, model }, kind, indent, fallbacks = []) {
    const sent = provider.kind === "emulator" ? null : model.deployment;
    const rest = Object.fromEntries(said(provider, ["kind", "base_url", "api_version", "state_file"]));
    const pairs = [
      ["provider", quoted(option(provider))],
      ["model", quoted(sent || model.name)],
    ];
    for (const key of ["base_url", "api_version"]) if (provider[key]) pairs.push([key, quoted(provider[key])]);
    if (model.validation && model.validation !== "strict") pairs.push(["validation", quoted(model.validation)]);
    pairs.push(["provider_config", literal(rest)]);
    if (fallbacks.length) {
      const list = fallbacks.map((one) => `${indent}        ${place(one, kind, `${indent}        `)},`);
      pairs.push(["fallback_configs", ["[", ...list, `${indent}    ]`].join("\n")]);
    }
    return call(`${kind}GenerationConfig`, pairs, indent);
  }

  /** In a program an image says what it is for by `type`. */
  const picture = (image) => (isTree(image) && "role" in image ? { image: image.image, type: image.role } : image);

  function order(request, kind) {
    const asked = { prompt: request.prompt, ...request };
    if (Array.isArray(asked.image_list)) asked.image_list = asked.image_list.map(picture);
    if (asked.number_of_videos === 1) delete asked.number_of_videos;
    return call(
      `${kind}GenerationRequest`,
      said(asked, ["kind", "prompt_file"]).map(([key, value]) => [key, literal(value)]),
      "",
    );
  }

  const extension = (request) => (request.kind === "video" ? "mp4" : request.output_format || "png");

  /** The config as a program that makes the same again. */
  function python(cell) {
    const whole = config(cell);
    const kind = whole.request.kind === "image" ? "Image" : "Video";
    const action = `generate_${kind.toLowerCase()}`;
    return [
      `from runner import ${kind}GenerationConfig, ${kind}GenerationRequest, ${action}`,
      "",
      `config = ${place(whole, kind, "", whole.fallbacks || [])}`,
      `request = ${order(whole.request, kind)}`,
      `response = ${action}(config, request)`,
      `print(response.save("run-${cell.number}.${extension(whole.request)}"))`,
      "",
    ].join("\n");
  }

  return { flaw, yaml, python };
})();
