"use strict";
// Tables: who needs how many samples, the rows behind a point, and where numbers are from.

const SVG = "http://www.w3.org/2000/svg";
const MOST_ROWS = 1000;
// Corners, and the angle of the first, of the markers that are polygons.
const POLYGONS = {
  "square": [4, 45], "diamond": [4, 0], "triangle-up": [3, -90], "triangle-down": [3, 90],
  "triangle-left": [3, 180], "triangle-right": [3, 0], "pentagon": [5, -90], "hexagon": [6, -90],
  "hexagon2": [6, 0], "octagon": [8, 22.5], "diamond-tall": [4, 0],
};

function mark(learner) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "-8 -8 16 16");
  svg.setAttribute("class", "mark");
  svg.setAttribute("aria-hidden", "true");
  const symbol = head.learners[learner].symbol;
  const polygon = POLYGONS[symbol];
  const shape = document.createElementNS(SVG, polygon ? "polygon" : symbol === "circle" ? "circle" : "path");
  shape.setAttribute("fill", colorOf(learner));
  if (polygon) {
    const [corners, first] = polygon;
    const narrow = symbol === "diamond-tall" ? 0.6 : 1;
    const points = Array.from({ length: corners }, (_, k) => {
      const angle = ((first + (360 * k) / corners) * Math.PI) / 180;
      return `${(7 * narrow * Math.cos(angle)).toFixed(2)},${(7 * Math.sin(angle)).toFixed(2)}`;
    });
    shape.setAttribute("points", points.join(" "));
  } else if (symbol === "circle") {
    shape.setAttribute("r", "6");
  } else {
    shape.setAttribute("d", "M-2-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z");
    if (symbol === "x") shape.setAttribute("transform", "rotate(45)");
  }
  svg.append(shape);
  return svg;
}

function fill(table, columns, lines) {
  const names = columns.map((name) => element("th", { text: name, scope: "col" }));
  const body = lines.map(({ cells, ...attributes }) =>
    element("tr", attributes, ...cells.map((cell, k) => {
      if (cell instanceof HTMLTableCellElement) return cell;
      const made = element(k === 0 ? "th" : "td", k === 0 ? { scope: "row" } : {});
      made.append(cell);
      return made;
    })),
  );
  table.replaceChildren(element("thead", {}, element("tr", {}, ...names)), element("tbody", {}, ...body));
}

function drawStandings() {
  const now = epsilon();
  const dims = target().curves.map((c) => c.d);
  const standings = now ? now.learners : [];
  const lines = standings.map(({ learner, verdict, groups, ratio, exponent, cells }) => {
    const label = head.learners[learner].label;
    const of = dims.map((d) => {
      const i = cells.d.indexOf(d);
      if (i < 0) return element("td", { text: "" });
      const open = element("button", {
        type: "button", text: cells.text[i],
        "aria-label": `${label} at d = ${d}: n* ${cells.text[i]}; show its rows`,
      });
      open.addEventListener("click", () => showRows({ learner, d }));
      return element("td", {}, open);
    });
    const why = exponent.why ? [element("small", { text: exponent.why })] : [];
    const slope = element("td", { class: "nowrap" }, exponent.text, ...why);
    const name = element("th", { scope: "row" }, mark(learner), label);
    return {
      class: shown(learner) ? undefined : "off",
      cells: [name, element("td", { text: verdict, class: "nowrap" }), ratio, slope, groups, ...of],
    };
  });
  const sizes = dims.map((d) => `n* at d = ${d}`);
  fill(byId("standings"), ["learner", "samples", "ratio", "exponent in d", "groups", ...sizes], lines);
  const where = now && now.d ? `d = ${now.d}` : "each learner's largest d";
  byId("standings-note").textContent =
    `Ratio: n* over that of the learner that needs the fewest, at ${where}. Among fewest: not told apart ` +
    "from it, over all d; more: told apart (5 % for the whole table); not reached: at no d with the sizes " +
    "run. Learners that share a letter are not told apart. Exponent: slope of log n* in log d with its 95 % " +
    "interval.";
}

function drawSizesTable() {
  const { learners } = sizeHere();
  const sizes = new Map(learners.flatMap(({ d, n }) => d.map((one, i) => [one, n[i]])));
  const dims = [...sizes.keys()].sort((a, b) => a - b);
  const lines = learners.map(({ learner, d, n, median }) => {
    const label = head.learners[learner].label;
    const of = dims.map((one) => {
      const i = d.indexOf(one);
      if (i < 0) return element("td", { text: "" });
      const error = median[i] === null ? "off the scale" : String(Number(median[i].toPrecision(3)));
      const open = element("button", {
        type: "button", text: error, "aria-label": `${label} at d = ${one}: error ${error}; show its rows`,
      });
      open.addEventListener("click", () => showRows({ learner, d: one, n: n[i], fixed: true }));
      return element("td", {}, open);
    });
    const name = element("th", { scope: "row" }, mark(learner), label);
    return { class: shown(learner) ? undefined : "off", cells: [name, ...of] };
  });
  fill(byId("sizes-table"), ["learner", ...dims.map((d) => `d = ${d}, n = ${sizes.get(d)}`)], lines);
}

// For a shell.
function quoted(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replace(/'/g, "'\"'\"'")}'`;
}

function command(learner, d) {
  const chosen = learner === undefined ? "" : ` --learner ${quoted(head.learners[learner].argument)}`;
  return `${head.one}${chosen} --target ${quoted(target().argument)} --d ${d}`;
}

function environmentText({ versions, machine }) {
  const listed = (pairs) => Object.entries(pairs).map(([name, value]) => `${name} ${value}`).join(", ");
  return [listed(versions), listed(machine)].filter(Boolean).join("; ") || "unknown";
}

function showRows(wanted) {
  const rows = storedRows(wanted);
  const name = wanted.learner === undefined ? "all learners" : head.learners[wanted.learner].label;
  const size = wanted.index === undefined && wanted.n === undefined ? "" : `, n = ${rows[0].n}`;
  const cut = rows.length > MOST_ROWS ? `, the first ${MOST_ROWS}` : "";
  const count = `${rows.length} row${rows.length === 1 ? "" : "s"}${cut}`;
  byId("rows-title").textContent = `${name} on ${target().label}, d = ${wanted.d}${size}: ${count}`;
  byId("rows-command").textContent = command(wanted.learner, wanted.d);
  const codes = [...new Set(rows.map(({ block, i }) => head.codes[at(block.code, i)]))];
  const environments = rows.map(({ block, i }) => head.environments[at(block.environment, i)]);
  const places = [...new Set(environments.map(environmentText))];
  byId("rows-origin").textContent = `Code ${codes.join(", ")}. ${places.join(" / ")}.`;
  const lines = rows.slice(0, MOST_ROWS).map(({ block, i }) => {
    const text = (column) => { const value = at(column, i); return value === null ? "" : String(value); };
    const reason = head.reasons[at(block.reason, i)];
    const parameters = Object.entries(block.hyperparameters)
      .filter(([, column]) => at(column, i) !== null)
      .map(([key, column]) => `${key} = ${at(column, i)}`)
      .join(", ");
    return {
      cells: [
        element("th", { scope: "row" }, mark(block.learner), head.learners[block.learner].label),
        text(block.d), text(block.n), head.replicates[at(block.replicate, i)].join("-"),
        text(block.error), text(block.se),
        element("td", { text: reason ? `${text(block.status)}: ${reason}` : text(block.status) }),
        text(block.steps), text(block.seconds), text(block.timing),
        element("td", { text: parameters, class: "long" }),
      ],
    };
  });
  const columns = [
    "learner", "d", "n", "target-sample-init", "error", "standard error", "status", "steps", "seconds",
    "timing", "hyperparameters",
  ];
  fill(byId("rows-table"), columns, lines);
  byId("rows").showModal();
}

function drawOrigin() {
  const counted = Object.entries(head.statuses).map(([status, count]) => `${count} ${status}`).join(", ");
  byId("counts").textContent =
    `${head.rows} rows${counted ? `: ${counted}` : ""}; ${head.measurements} measurements. hierbench ${head.version} made this page.` +
    (head.left_out.length ? ` Not ok: ${head.left_out.join("; ")}.` : "");
  byId("run-command").textContent = head.run;
  byId("page-command").textContent = head.page;
  if (head.environments.length) {
    fill(byId("environments"), ["environment", "versions and machine"], head.environments.map((one, k) => ({
      cells: [String(k + 1), element("td", { text: environmentText(one), class: "long" })],
    })));
    fill(byId("codes"), ["learner", "fingerprint of its code", "environment", "rows"], head.made_by.map(
      ([learner, code, environment, count]) => ({
        cells: [
          element("th", { scope: "row" }, mark(learner), head.learners[learner].label),
          element("td", {}, element("code", { text: head.codes[code] })), String(environment + 1),
          String(count),
        ],
      }),
    ));
  }
  byId("legend").replaceChildren(...head.legend.map((text) => element("li", { text })));
  byId("legend-part").hidden = !head.legend.length;
}
