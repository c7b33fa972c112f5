// Looks at the page as a reader sees it; runs in the browser, called by page.rs.
const numbers = (color) => (color.match(/[\d.]+/g) || []).map(Number);
const luminance = ([r, g, b]) => {
  const channel = [r, g, b].map((value) => {
    const part = value / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * channel[0] + 0.7152 * channel[1] + 0.0722 * channel[2];
};
const ratio = (one, other) => {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
};
// The colours that may be behind an element: of a gradient, both ends.
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const style = getComputedStyle(at);
    const gradient = style.backgroundImage.match(/rgba?\([^)]*\)/g);
    if (gradient) return gradient.map(numbers);
    const color = numbers(style.backgroundColor);
    if (color.length === 3 || color[3] > 0) return [color];
  }
  return [[255, 255, 255]];
};
let worst = { ratio: 99 };
let texts = 0;
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const text = walker.currentNode.textContent.trim();
  const element = walker.currentNode.parentElement;
  const box = element.getBoundingClientRect();
  if (!text || element.closest(".sr") || box.width === 0 || !element.checkVisibility()) continue;
  const style = getComputedStyle(element);
  const color = numbers(element.closest("svg") ? style.fill : style.color);
  for (const back of behind(element)) {
    texts += 1;
    const found = ratio(color, back);
    if (found < worst.ratio) worst = { ratio: found, text, color, back };
  }
}
const bottom = (selector) => document.querySelector(selector).getBoundingClientRect().bottom;
const wide = [...document.body.querySelectorAll("*")].filter((element) => {
  const box = element.getBoundingClientRect();
  return !element.closest(".sr") && box.width > 0 && box.right > innerWidth + 1;
});
const levels = [...document.querySelectorAll("h1, h2, h3")].map((heading) => Number(heading.localName[1]));
// Its inner labels are left out where there is no room.
const scale = document.querySelector(".scale");
if (scale) scale.style.display = "none";
return {
  texts,
  worst,
  scrolls: document.documentElement.scrollWidth - innerWidth,
  wide: wide.slice(0, 3).map((element) => element.outerHTML.slice(0, 200)),
  fold: innerHeight - Math.max(bottom("h1"), bottom(".outcome")),
  back: getComputedStyle(document.body).backgroundColor,
  text: document.body.innerText,
  language: document.documentElement.lang,
  levels,
  tables: [...document.querySelectorAll("table")].every((table) => table.querySelector("thead th[scope=col]")),
  focusable: [...document.querySelectorAll("summary, a")].every((element) => element.tabIndex === 0),
  bars: document.querySelectorAll(".lane rect").length,
  critical: [...document.querySelectorAll("tr.critical .label")].map((label) => label.textContent),
};
