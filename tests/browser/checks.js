/* What a checker of accessibility looks for, as far as this page has it: a list of complaints. */
() => {
  const complaints = [];
  const say = (what, element) =>
    complaints.push(`${what}: ${element ? element.outerHTML.slice(0, 120) : ""}`);
  const colour = (text) => {
    const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const light = ({ r, g, b }) => {
    const part = (v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const contrast = (a, b) => {
    const [high, low] = [light(a), light(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const found = colour(getComputedStyle(each).backgroundColor);
      if (found.a === 1) return found;
    }
    return { r: 255, g: 255, b: 255 };
  };

  if (!document.documentElement.lang) say("no language");
  if (!document.title) say("no title");
  for (const [landmark, many] of [["main", 1], ["footer", 1], ["h1", 1], ["[role=status]", 1]])
    if (document.querySelectorAll(landmark).length !== many) say(`not ${many} ${landmark}`);
  const levels = [...document.querySelectorAll("h1,h2,h3")].map((h) => +h.tagName[1]);
  if (levels.some((level, n) => n && level > levels[n - 1] + 1)) say("a level is skipped");
  for (const svg of document.querySelectorAll("svg")) {
    const named = (svg.getAttribute("aria-labelledby") || "").split(" ");
    if (svg.getAttribute("role") !== "img" || !named.length) say("a picture without a name", svg);
    for (const id of named)
      if (!document.getElementById(id)?.textContent.trim()) say(`nothing is called ${id}`, svg);
  }
  for (const section of document.querySelectorAll("section"))
    if (!section.getAttribute("aria-label")) say("a section without a name", section);
  const ids = [...document.querySelectorAll("[id]")].map((each) => each.id);
  if (new Set(ids).size !== ids.length) say("an id is given twice");
  for (const list of document.querySelectorAll("ol,ul"))
    if ([...list.children].some((child) => child.tagName !== "LI")) say("not a list", list);
  for (const at of document.querySelectorAll("time"))
    if (Number.isNaN(Date.parse(at.dateTime))) say("not a time", at);

  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = words.nextNode(); node; node = words.nextNode()) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !element.checkVisibility?.()) continue;
    if (["SCRIPT", "STYLE", "title", "desc"].includes(element.tagName)) continue;
    const style = getComputedStyle(element);
    const ink = colour(element instanceof SVGElement ? style.fill : style.color);
    const large = parseFloat(style.fontSize) >= 24;
    const found = contrast(ink, ground(element));
    if (found < (large ? 3 : 4.5)) say(`contrast ${found.toFixed(2)}`, element);
  }
  if (document.documentElement.scrollWidth > innerWidth) say("it is wider than the screen");
  return complaints;
}
