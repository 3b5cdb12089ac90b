// Figures, tables that come later or are sorted, and forms that show what is chosen at once.
"use strict";

const dark = matchMedia("(prefers-color-scheme: dark)");
const config = {responsive: true, displaylogo: false, modeBarButtons: [["toImage"]]};
const drawn = new Map();
let plotly;

function loadPlotly() {
  plotly ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "static/plotly.min.js";
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error("plotly.min.js could not be loaded"));
    document.head.append(script);
  });
  return plotly;
}

async function fetched(address) {
  const response = await fetch(address);
  const text = await response.text();
  if (!response.ok) throw new Error(text.trim() || response.statusText);
  return text;
}

// A figure in the colours of the theme: the server names them as the style sheet does.
function themed(text) {
  const style = getComputedStyle(document.documentElement);
  return JSON.parse(text.replace(/var\((--[\w-]+)\)/g, (_, name) =>
    style.getPropertyValue(name).trim().replaceAll('"', "'")));
}

function fitted(figure, width) {
  const narrow = width < 700;
  figure.layout.font = {...figure.layout.font, family: getComputedStyle(document.body).fontFamily};
  if (narrow) {
    figure.layout.margin = {l: 8, r: 8, t: 24, b: 32};
    Object.assign(figure.layout.legend, {y: 0, yref: "container", yanchor: "bottom"});
    const names = figure.data.filter((line) => line.showlegend !== false).length;
    if (figure.layout.showlegend) figure.layout.height += 12 * names;
    figure.layout.yaxis.title = {text: ""};
  }
  return figure;
}

async function draw(place) {
  try {
    const [Plotly, text] = await Promise.all([loadPlotly(), drawn.get(place) ?? fetched(place.dataset.figure)]);
    drawn.set(place, text);
    const figure = themed(text);
    const damaged = (figure.damaged ?? []).map((error) => `Left out: ${error}`);
    if (!figure.data) {
      place.classList.add("none");
      place.textContent = [place.dataset.empty, ...damaged].join(". ");
      return;
    }
    if (damaged.length && !place.dataset.drawn) {
      const note = Object.assign(document.createElement("p"), {className: "note", textContent: damaged.join(". ")});
      place.after(note);
    }
    fitted(figure, place.clientWidth);
    await Plotly.react(place, figure.data, figure.layout, config);
    if (!place.dataset.drawn) {
      place.dataset.drawn = "yes";
      place.on("plotly_click", (event) => {
        const told = event.points[0];
        const day = [told.x, told.customdata].find((v) => /^\d{4}-\d\d-\d\d$/.test(String(v).slice(0, 10)));
        if (day) location.href = dayLink(String(day).slice(0, 10));
      });
    }
  } catch (error) {
    place.classList.add("none");
    place.textContent = error.message;
  }
}

function dayLink(day) {
  const query = new URLSearchParams(location.search);
  query.set("on", day);
  return `day?${query}`;
}

async function fill(place) {
  try {
    place.innerHTML = await fetched(place.dataset.table);
    place.querySelectorAll("table").forEach(sortable);
    place.dataset.drawn = "yes";
  } catch (error) {
    place.textContent = error.message;
  }
}

function sortable(table) {
  const heads = [...table.querySelectorAll("th")];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const number = head.classList.contains("number");
    const value = (row) => row.cells[column].dataset.v;
    const rows = [...table.tBodies[0].rows].sort((a, b) => {
      const [x, y] = up ? [value(a), value(b)] : [value(b), value(a)];
      if (value(a) === "" || value(b) === "") return (value(a) === "") - (value(b) === "");
      return number ? x - y : x.localeCompare(y, undefined, {numeric: true});
    });
    table.tBodies[0].append(...rows);
  }));
}

// The address holds what differs from what is shown anyway, so that a view stays short.
function send(form) {
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    const same = form.elements[name].dataset?.default === value;
    if (value && !same) query.append(name, value);
  }
  const [page, mark] = form.getAttribute("action").split("#");
  location.href = `${page}?${query}${mark ? `#${mark}` : ""}`;
}

async function offer(input) {
  const names = JSON.parse(await fetched(`names?typed=${encodeURIComponent(input.value)}`));
  const list = document.getElementById("names");
  list.replaceChildren(...names.map((name) => Object.assign(document.createElement("option"), {value: name})));
}

document.querySelectorAll("form[data-choice]").forEach((form) => {
  form.addEventListener("submit", (event) => { event.preventDefault(); send(form); });
});
document.querySelectorAll("input[list]").forEach((input) => {
  let waiting;
  for (const kind of ["focus", "input"]) input.addEventListener(kind, () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => offer(input).catch(() => {}), 120);
  });
});
document.querySelectorAll("table").forEach(sortable);

const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) {
    seen.unobserve(entry.target);
    if (entry.target.dataset.figure) draw(entry.target); else fill(entry.target);
  }
}, {rootMargin: "400px"});
document.querySelectorAll("[data-figure], [data-table]").forEach((place) => seen.observe(place));
dark.addEventListener("change", () => drawn.forEach((_, place) => draw(place)));
