// Looks at the pages in the frames of this page, once all are there, and writes for each: how many plots are shown, and below it a line
// for every text of a plot that lies over another or beyond the edge of its plot, and for a page that is wider than its window.
"use strict";

function look(page) {
  const complaints = [];
  const window = page.defaultView;
  if (page.scrollingElement.scrollWidth > window.innerWidth) {
    complaints.push("the page is " + page.scrollingElement.scrollWidth + " wide, wider than the window with " + window.innerWidth);
  }
  const plots = [...page.querySelectorAll("svg.plot")].filter((p) => p.getClientRects().length > 0);
  for (const plot of plots) {
    const name = plot.getAttribute("aria-label").split(".")[0] + ": ";
    const edge = plot.getBoundingClientRect();
    const texts = [...plot.querySelectorAll("text")].map((t) => ({ text: t.textContent, box: t.getBoundingClientRect() }));
    texts.forEach((a, i) => {
      if (a.box.width === 0 || a.box.left < edge.left - 1 || a.box.right > edge.right + 1 || a.box.top < edge.top - 1 || a.box.bottom > edge.bottom + 1) {
        complaints.push(name + "“" + a.text + "” is cut off");
      }
      for (const b of texts.slice(i + 1)) {
        const across = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
        const down = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
        if (across > 0 && down > 2) {
          complaints.push(name + "“" + a.text + "” and “" + b.text + "” overlap");
        }
      }
    });
  }
  for (const part of page.querySelectorAll(".tiles dd, .tiles dt, .legend li, summary, caption, h1, h2, h3")) {
    if (part.scrollWidth > part.clientWidth + 1 && part.clientWidth > 0) {
      complaints.push("“" + part.textContent + "” is cut off");
    }
  }
  return [plots.length + " plots", ...complaints].join("\n");
}

addEventListener("load", () => {
  document.getElementById("found").textContent = [...document.querySelectorAll("iframe")].map((f) => look(f.contentDocument)).join("\n\n");
});
