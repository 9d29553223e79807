"use strict";
// The plots. Labels are escaped: plotly reads a few tags in texts, and placeholders in templates.

const CONFIG = {
  responsive: true, displaylogo: false, plotlyServerURL: "",
  // By name, because there is one that would send the data away.
  modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
};
const COUNTS = { exponentformat: "SI" };
const LOST = ["diverged", "failed", "timeout"];

function plain(text) {
  return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

function colors() {
  const body = getComputedStyle(document.body);
  const line = getComputedStyle(document.querySelector("section")).borderTopColor;
  const quiet = getComputedStyle(document.querySelector(".note")).color;
  return { ink: body.color, paper: body.backgroundColor, line, quiet };
}

function layout(x, y) {
  const { ink, paper, line } = colors();
  const axis = (title, more) => ({
    type: "log", title: { text: title, standoff: 8 }, gridcolor: line, linecolor: line, zeroline: false,
    tickcolor: line, ticks: "outside", exponentformat: "power", minor: { showgrid: false }, ...more,
  });
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "closest",
    font: { color: ink, size: 12, family: getComputedStyle(document.body).fontFamily },
    margin: { l: 64, r: 16, t: 28, b: 52 }, dragmode: window.innerWidth < 640 ? false : "zoom",
    hoverlabel: { bgcolor: paper, bordercolor: line, font: { color: ink } },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: line, activecolor: ink },
    xaxis: axis(x.title, x.more), yaxis: axis(y.title, y.more), uirevision: x.revision,
  };
}

function draw(id, data, itsLayout, description, message) {
  const box = byId(id);
  box.setAttribute("aria-label", description);
  box.classList.toggle("empty", !data.length);
  if (!data.length) {
    if (box.drawn) Plotly.purge(box);
    box.drawn = false;
    box.textContent = message;
    return;
  }
  if (!box.drawn) box.textContent = "";
  const mobile = window.innerWidth < 640;
  Plotly.react(box, data, itsLayout, { ...CONFIG, displayModeBar: mobile ? false : "hover" });
  if (!box.drawn) {
    box.on("plotly_click", (event) => {
      const point = event.points.find((p) => p.customdata);
      if (point) showRows(point.customdata);
    });
  }
  box.drawn = true;
}

function logRange(low, high) {
  return [Math.log10(low), Math.log10(high)];
}

// Learners of one d side by side, so that no bar hides another.
function dodge(place, count, dims) {
  let closest = 1.4;
  for (let i = 1; i < dims.length; i++) closest = Math.min(closest, dims[i] / dims[i - 1]);
  return closest ** (0.62 * (count > 1 ? place / (count - 1) - 0.5 : 0));
}

function drawSamples() {
  const now = epsilon();
  const dims = target().curves.map((c) => c.d);
  const order = now ? now.learners.map((s) => s.learner).filter(shown).sort((a, b) => a - b) : [];
  const data = [];
  const ends = [];
  for (const standing of now ? now.learners : []) {
    const { learner, cells, exponent } = standing;
    if (!shown(learner)) continue;
    const color = colorOf(learner);
    const look = head.learners[learner];
    const shift = dodge(order.indexOf(learner), order.length, dims);
    const known = cells.d.map((_, i) => i).filter((i) => cells.value[i] !== null);
    if (!known.length) continue;
    const reached = known.filter((i) => at(cells.kind, i) !== "right").map((i) => cells.d[i]);
    if (exponent.slope !== null && exponent.intercept !== null && reached.length > 1) {
      const x = [Math.min(...reached), Math.max(...reached)];
      data.push({
        x: x.map((d) => d * shift), y: x.map((d) => Math.exp(exponent.intercept) * d ** exponent.slope),
        mode: "lines", line: { color, width: 1.3, dash: look.dash }, opacity: 0.75, hoverinfo: "skip",
      });
    }
    const value = known.map((i) => cells.value[i]);
    for (const i of known) {
      ends.push(cells.value[i], cells.low[i] || cells.value[i], cells.high[i] || cells.value[i]);
    }
    data.push({
      x: known.map((i) => cells.d[i] * shift), y: value, mode: "markers+text",
      marker: {
        color, size: 9, line: { width: 1.5, color },
        symbol: known.map((i) => look.symbol + (at(cells.kind, i) === "bracketed" ? "" : "-open")),
      },
      text: known.map((i) => ({ right: "↑", left: "↓" })[at(cells.kind, i)] || ""),
      textposition: known.map((i) => (at(cells.kind, i) === "left" ? "bottom center" : "top center")),
      textfont: { color, size: 15 },
      error_y: {
        type: "data", symmetric: false, color, thickness: 1, width: 2,
        array: known.map((i) => (cells.high[i] ? cells.high[i] - cells.value[i] : 0)),
        arrayminus: known.map((i) => (cells.low[i] ? cells.value[i] - cells.low[i] : 0)),
      },
      hoverinfo: "text",
      hovertext: known.map((i) => `${plain(look.label)}, d = ${cells.d[i]}<br>n* ${plain(cells.text[i])}`),
      customdata: known.map((i) => ({ learner, d: cells.d[i] })),
    });
  }
  if (data.length) addReferences(data, dims, ends);
  const range = logRange(dims[0] / 1.2, dims[dims.length - 1] * 1.25);
  const more = { tickvals: dims, ticktext: dims.map(String), range };
  const limits = ends.length ? logRange(Math.min(...ends) / 1.6, Math.max(...ends) * 2.2) : undefined;
  const drawn = layout(
    { title: "dimension d", more, revision: `samples ${state.target} ${state.scale}` },
    { title: "samples needed, n*", more: { ...COUNTS, range: limits } },
  );
  draw(
    "samples-plot", data, drawn,
    `Samples needed against dimension at ${now ? now.label : "no error"}; the table below has the numbers.`,
    "No learner that is shown has an n* here.",
  );
}

function addReferences(data, dims, ends) {
  const { quiet } = colors();
  const low = Math.min(...ends);
  const high = Math.max(...ends);
  const counted = target().curves.filter((c) => c.parameters > low / 10 && c.parameters < high * 10);
  if (counted.length) {
    counted.forEach((c) => ends.push(c.parameters));
    data.unshift({
      x: counted.map((c) => c.d), y: counted.map((c) => c.parameters), mode: "lines", hoverinfo: "text",
      hovertext: counted.map((c) => `parameters of the target: ${c.parameters}`),
      line: { color: quiet, width: 1.5, dash: "dash" },
    });
  }
  if (dims.length < 2) return;
  for (const slope of [2, 4]) {
    const start = low / 1.3;
    const stop = Math.min(dims[dims.length - 1], dims[0] * (high / start) ** (1 / slope));
    data.unshift({
      x: [dims[0], stop], y: [start, start * (stop / dims[0]) ** slope], mode: "lines+text",
      hoverinfo: "skip",
      line: { color: quiet, width: 1, dash: "dot" }, opacity: 0.7,
      text: ["", `d<sup>${slope}</sup>`], textposition: "middle right", textfont: { color: quiet, size: 11 },
    });
  }
}

function drawLearning() {
  const here = curvesHere();
  const [low, high] = here.limits;
  const top = high / 1.15;
  const data = [];
  for (const band of here.bands) {
    if (!shown(band.learner)) continue;
    const color = colorOf(band.learner);
    data.push({
      x: [...band.n, ...[...band.n].reverse()], y: [...band.high, ...[...band.low].reverse()], fill: "toself",
      fillcolor: color, opacity: 0.13, mode: "lines", line: { width: 0 }, hoverinfo: "skip",
    });
  }
  for (const block of target().rows) {
    if (!shown(block.learner)) continue;
    const dots = { x: [], y: [], symbol: [], hovertext: [], customdata: [] };
    const look = head.learners[block.learner];
    for (const { i, n } of storedRows({ learner: block.learner, d: state.d })) {
      const error = at(block.error, i);
      const status = at(block.status, i);
      const lost = LOST.includes(status) || (error !== null && error > high);
      if (!lost && !(error > 0)) continue;
      dots.x.push(n);
      dots.y.push(lost ? top : error);
      dots.symbol.push(lost ? "x-thin-open" : look.symbol + (status === "ok" ? "" : "-open"));
      const number = error === null ? "" : `error ${error}, `;
      dots.hovertext.push(`${plain(look.label)}, n = ${n}<br>${number}${plain(status)}`);
      dots.customdata.push({ learner: block.learner, d: state.d, index: i });
    }
    const color = colorOf(block.learner);
    if (dots.x.length) {
      data.push({
        x: dots.x, y: dots.y, mode: "markers", hoverinfo: "text", hovertext: dots.hovertext, opacity: 0.55,
        marker: { color, size: 6, symbol: dots.symbol, line: { color, width: 1 } },
        customdata: dots.customdata,
      });
    }
  }
  for (const band of here.bands) {
    if (!shown(band.learner)) continue;
    const look = head.learners[band.learner];
    data.push({
      x: band.n, y: band.median, mode: "lines",
      line: { color: colorOf(band.learner), width: 2, dash: look.dash },
      hoverinfo: "text", hovertext: band.n.map((_, i) => `${plain(look.label)}: median ${band.median[i]}`),
      customdata: band.n.map(() => ({ learner: band.learner, d: state.d })),
    });
  }
  const sizes = data.flatMap((trace) => trace.x);
  if (here.floor.length && sizes.length) {
    const [smallest, largest] = [Math.min(...sizes), Math.max(...sizes)];
    const steps = here.floor.filter(([n, e], k) => {
      const next = here.floor[k + 1];
      return e > 0 && n <= largest && (!next || next[0] > smallest);
    });
    const last = steps[steps.length - 1];
    data.unshift({
      x: [...steps.map(([n]) => Math.max(n, smallest)), largest],
      y: [...steps.map(([, e]) => e), last ? last[1] : null], mode: "lines",
      line: { color: colors().quiet, dash: "dot", shape: "hv", width: 1.5 }, hoverinfo: "skip",
    });
  }
  const drawn = layout(
    { title: "samples n", more: COUNTS, revision: `learning ${state.target} ${state.d}` },
    { title: errorName(), more: { range: logRange(low, high) } },
  );
  draw(
    "learning-plot", data, drawn, `Error against samples at d = ${state.d}; the button above lists the rows.`,
    "No learner that is shown has a row here.",
  );
}

function drawSizes() {
  const here = sizeHere();
  if (!here) return;
  const [low, high] = target().sizes.limits;
  const top = high / 1.15;
  const order = here.learners.map((one) => one.learner).filter(shown);
  const dims = [...new Set(here.learners.flatMap((one) => one.d))].sort((a, b) => a - b);
  const data = [];
  for (const { learner, d, n, median, low: lower, high: upper } of here.learners) {
    if (!shown(learner)) continue;
    const color = colorOf(learner);
    const look = head.learners[learner];
    const shift = dodge(order.indexOf(learner), order.length, dims);
    const lost = median.map((error) => error === null);
    data.push({
      x: d.map((one) => one * shift), y: median.map((error) => (error === null ? top : error)),
      mode: "lines+markers", line: { color, width: 1.3, dash: look.dash },
      marker: {
        color, size: 9, line: { width: 1.5, color },
        symbol: lost.map((off) => (off ? "x-thin-open" : look.symbol)),
      },
      error_y: {
        type: "data", symmetric: false, color, thickness: 1, width: 2,
        array: median.map((error, i) => (lost[i] ? 0 : (upper[i] === null ? high : upper[i]) - error)),
        arrayminus: median.map((error, i) => (lost[i] ? 0 : error - lower[i])),
      },
      hoverinfo: "text",
      hovertext: d.map((one, i) =>
        `${plain(look.label)}, d = ${one}, n = ${n[i]}<br>error ${lost[i] ? "off the scale" : median[i]}`),
      customdata: d.map((one, i) => ({ learner, d: one, n: n[i], fixed: true })),
    });
  }
  const range = logRange(dims[0] / 1.2, dims[dims.length - 1] * 1.25);
  const more = { tickvals: dims, ticktext: dims.map(String), range };
  draw(
    "sizes-plot", data,
    layout(
      { title: "dimension d", more, revision: `sizes ${state.target} ${state.size}` },
      { title: errorName(), more: { range: logRange(low, high) } },
    ),
    `Error against dimension at ${here.size}; the table below has the numbers.`,
    "No learner that is shown was run at this size.",
  );
  drawSizesTable();
}

function errorName() {
  return target().metric === "misclassification" ? "share of wrong labels" : "test error / variance";
}

function drawCost() {
  const now = epsilon();
  const data = [];
  const places = new Map();
  for (const { learner, cells } of now ? now.learners : []) {
    const i = cells.d.indexOf(state.d);
    if (!shown(learner) || i < 0 || cells.value[i] === null || !cells.seconds[i]) continue;
    const color = colorOf(learner);
    const look = head.learners[learner];
    const bound = at(cells.kind, i) !== "bracketed";
    places.set(learner, [cells.value[i], cells.seconds[i]]);
    data.push({
      x: [cells.value[i]], y: [cells.seconds[i]], mode: "markers+text", hoverinfo: "text",
      marker: { color, size: 11, symbol: look.symbol + (bound ? "-open" : ""), line: { color, width: 1.5 } },
      text: [({ right: "→", left: "←" })[at(cells.kind, i)] || ""], textfont: { color, size: 15 },
      textposition: at(cells.kind, i) === "left" ? "middle left" : "middle right",
      hovertext: [`${plain(look.label)}<br>n* ${plain(cells.text[i])}, ${cells.seconds[i]} s a fit`],
      customdata: [{ learner, d: state.d }],
    });
  }
  const front = ((now && now.front[state.d]) || []).filter((learner) => places.has(learner));
  if (front.length > 1) {
    data.unshift({
      x: front.map((l) => places.get(l)[0]), y: front.map((l) => places.get(l)[1]), mode: "lines",
      line: { color: colors().quiet, dash: "dot", width: 1.5 }, hoverinfo: "skip",
    });
  }
  draw(
    "cost-plot", data,
    layout(
      { title: "samples needed, n*", more: COUNTS, revision: `cost ${state.target}` },
      { title: "seconds of a fit", more: { exponentformat: "none" } },
    ),
    `Seconds of a fit against samples needed at d = ${state.d}.`, "No learner that is shown has an n* here.",
  );
}

function drawTrace() {
  const one = head.traces[state.trace];
  if (!one) return;
  byId("trace-command").textContent = `${head.one} --experiment ${quoted(one.label)}`;
  const palette = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"];
  const groups = [...new Set(one.lines.map((line) => line.group))];
  const data = one.lines.filter((line) => line.x.length).flatMap((line) => {
    const own = palette[groups.indexOf(line.group) % palette.length];
    const color = (isDark() && ON_DARK[own]) || own;
    return [
      {
        x: [...line.x, ...[...line.x].reverse()], y: [...line.high, ...[...line.low].reverse()],
        fill: "toself", fillcolor: color, opacity: 0.12, mode: "lines", line: { width: 0 }, hoverinfo: "skip",
        showlegend: false,
      },
      {
        x: line.x, y: line.mean, mode: one.ticks.length ? "lines+markers" : "lines", name: plain(line.name),
        line: { color, width: 1.8, dash: ["solid", "dash", "dot"][(line.level - 1) % 3] },
        marker: { color, size: 6, symbol: ["circle", "square", "diamond"][(line.level - 1) % 3] },
        hoverinfo: "text",
        hovertext: line.mean.map((value) => `${plain(line.name)}: ${value}`), connectgaps: true,
      },
    ];
  });
  const places = one.ticks.map((_, k) => k);
  const ticks = places.length ? { tickvals: places, ticktext: one.ticks.map(plain) } : {};
  const drawn = layout(
    { title: plain(one.x), more: { type: "linear", ...ticks }, revision: `trace ${state.trace}` },
    { title: one.y },
  );
  drawn.showlegend = true;
  drawn.legend = { orientation: "h", y: -0.2, yanchor: "top" };
  draw("trace-plot", data, drawn, `${one.y} against ${one.x}, experiment ${one.label}`, "Nothing to draw.");
}
