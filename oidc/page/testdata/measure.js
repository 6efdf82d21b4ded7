// What a browser computes of the page: see measures in browser_test.go. Defines describe and standsOut too.
var describe = (e) => e.tagName.toLowerCase() + "|" + (e.id || e.name || "") + "|" + (e.getAttribute("href") || e.value || "");

var standsOut = (e) => {
  const s = getComputedStyle(e);
  return s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2;
};

(() => {
  const color = (text) => {
    const n = text.match(/[\d.]+/g).map(Number);
    return { rgb: n.slice(0, 3), alpha: n.length > 3 ? n[3] : 1 };
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => {
    const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
  };
  // Backgrounds of the pages are opaque or not there at all.
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = color(getComputedStyle(e).backgroundColor);
      if (c.alpha === 1) return c.rgb;
      if (c.alpha !== 0) return [127, 127, 127];
    }
    return [255, 255, 255];
  };
  const seen = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true });

  const contrast = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let said = 0;
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !seen(e) || e.closest("noscript")) continue;
    said++;
    const r = ratio(color(getComputedStyle(e).color).rgb, behind(e));
    if (!(r >= 4.5)) contrast.push("contrast " + r.toFixed(2) + " of “" + texts.currentNode.data.trim() + "”");
  }
  if (said < 5) contrast.push("only " + said + " texts were seen");
  for (const e of document.querySelectorAll("input:not([type=hidden], [type=checkbox]), textarea")) {
    const r = ratio(color(getComputedStyle(e).borderTopColor).rgb, behind(e.parentElement));
    if (!(r >= 3)) contrast.push("contrast " + r.toFixed(2) + " of the border of " + describe(e));
  }
  for (const e of document.querySelectorAll("svg")) {
    const r = ratio(color(getComputedStyle(e).color).rgb, behind(e));
    if (!(r >= 3)) contrast.push("contrast " + r.toFixed(2) + " of a symbol");
  }

  const stops = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), textarea")].filter(seen);
  const targets = stops.filter((e) => {
    const box = e.getBoundingClientRect();
    return !e.matches(".skip") && (box.width < 24 || box.height < 24);
  }).map((e) => "too small a target: " + describe(e));

  return {
    contrast, targets,
    wide: Math.max(0, document.documentElement.scrollWidth - window.innerWidth),
    stops: stops.map(describe),
  };
})();
