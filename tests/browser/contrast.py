"""Texts that are too faint to read, by WCAG's measure."""

from __future__ import annotations

from typing import Any

# Against all the backgrounds behind a text, painted over each other, so that half transparent ones count as well.
PROGRAM = """(within) => {
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const painted = (colours) => {
    for (const colour of colours) { context.fillStyle = colour; context.fillRect(0, 0, 1, 1); }
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => rgb.map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = (element) => {
    const found = [];
    for (let at = element; at; at = at.parentElement) found.unshift(getComputedStyle(at).backgroundColor);
    return found;
  };
  const found = {};
  for (const element of document.querySelectorAll(within)) {
    const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (!own || element.closest(":disabled, option, title, script")) continue;
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    const { color, fill } = getComputedStyle(element);
    const colours = behind(element);
    const text = light(painted([...colours, element instanceof SVGElement ? fill : color]));
    const ground = light(painted(colours));
    const ratio = (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
    const name = [element.tagName, element.getAttribute("class")].filter(Boolean).join(".");
    if (ratio < 4.5) found[`${name}: ${element.textContent.slice(0, 30)}`] = ratio;
  }
  return found;
}"""


def faint(page: Any, within: str = "body *") -> dict[str, float]:
    """The visible texts among `within` with a contrast below WCAG AA's 4.5, and what they have instead.

    Any: playwright's page, which is imported where there is a browser.
    """
    found: dict[str, float] = page.evaluate(PROGRAM, within)
    return found
