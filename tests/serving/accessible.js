// What WCAG 2.2 AA asks and a script can tell: names, landmarks, headings, ids, references, contrast, target size.
(() => {
  const faults = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const seen = (node) => node.checkVisibility({ visibilityProperty: true }) && !node.closest(".hidden, .skip");
  const text = (id) => (document.getElementById(id) || {}).textContent || "";
  const name = (node) => (node.getAttribute("aria-label") || (node.getAttribute("aria-labelledby") || "").split(" ").map(text).join(" ")
    || [...(node.labels || [])].map((label) => label.textContent).join(" ") || node.textContent || node.getAttribute("alt") || "").trim();
  if (!document.documentElement.lang) faults.push("no language");
  if (!document.title.trim()) faults.push("no title");
  if (all("main").length !== 1) faults.push("not one main");
  if (all("h1").length < 1) faults.push("no h1");
  all("input:not([type=hidden]), select, textarea").forEach((node) => {
    const label = node.getAttribute("aria-label") || [...node.labels].map((label) => label.textContent).join(" ").trim();
    if (!label) faults.push(`no label: ${node.name}`);
  });
  all("a[href], button, summary, [role=img], [role=region], nav, section[aria-labelledby], fieldset > legend, img").forEach((node) => {
    if (!name(node)) faults.push(`no name: ${node.outerHTML.slice(0, 100)}`);
  });
  const ids = all("[id]").map((node) => node.id);
  ids.filter((id, at) => ids.indexOf(id) !== at).forEach((id) => faults.push(`two of id ${id}`));
  all("[aria-labelledby], [aria-describedby], label[for], a[href^='#']").forEach((node) => {
    const named = ["aria-labelledby", "aria-describedby", "for"].flatMap((name) => (node.getAttribute(name) || "").split(" "));
    const target = (node.getAttribute("href") || "#").startsWith("#") ? (node.getAttribute("href") || "").slice(1) : "";
    [...named, target].filter(Boolean).forEach((id) => { if (!document.getElementById(id)) faults.push(`nothing has id ${id}`); });
  });
  let before = 0;
  all("h1, h2, h3, h4").forEach((node) => {
    const level = Number(node.tagName[1]);
    if (level > before + 1 && before) faults.push(`heading ${node.textContent.trim()} skips a level`);
    before = level;
  });
  all("table").forEach((table) => { if (!table.querySelector("th[scope]")) faults.push("a table without headers"); });
  all("[tabindex]").forEach((node) => { if (node.tabIndex > 0) faults.push("a tabindex above 0"); });
  const part = (value) => { const c = value / 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const rgb = (colour) => colour.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  all("body *").filter((node) => seen(node) && [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim())).forEach((node) => {
    const style = getComputedStyle(node);
    const [dark, pale] = [light(rgb(node.namespaceURI.endsWith("svg") ? style.fill : style.color)), light(ground(node))].sort((a, b) => a - b);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = (pale + 0.05) / (dark + 0.05);
    if (ratio < (large ? 3 : 4.5)) faults.push(`contrast ${ratio.toFixed(1)}: ${node.textContent.trim().slice(0, 40)}`);
  });
  all("button, input:not([type=hidden]), select, nav a, summary").filter(seen).forEach((node) => {
    const box = node.getBoundingClientRect();
    if (box.height < 24 || box.width < 24) faults.push(`small target: ${node.outerHTML.slice(0, 80)}`);
  });
  return faults;
})()
