"use strict";
// The controls, and what is drawn again when one of them moves.

function drawVerdicts() {
  byId("suite").textContent = head.suite;
  byId("summary").textContent = head.summary;
  byId("sentences").replaceChildren(
    ...head.sentences.map(({ heading, text }) =>
      element("li", {}, element("strong", { text: heading }), element("br"), text),
    ),
  );
  byId("incomplete").hidden = !head.missing;
  byId("incomplete").textContent =
    `Not complete: ${head.missing} units are missing or failed; ${head.run} makes them.`;
  byId("claims-part").hidden = !head.claims.length;
  byId("claims-count").textContent = head.claims.length;
  const wide = (text) => element("td", { text, class: "long" });
  fill(byId("claims"), ["id", "verdict", "claim", "figures", "why"], head.claims.map((claim) => ({
    cells: [
      claim.id, element("td", { text: claim.verdict, class: claim.word }),
      wide(`${claim.statement}${claim.scope ? ` [${claim.scope}]` : ""} (${claim.source})`),
      wide(claim.figures.join("; ") || "none yet"), wide(claim.why),
    ],
  })));
}

function drawFamilies() {
  const groups = head.families.map((family, place) => {
    const members = head.learners.map((l, k) => k).filter((k) => head.learners[k].family === family);
    const whole = element("input", { type: "checkbox", id: `family-${place}` });
    const boxes = members.map((k) => {
      const box = element("input", { type: "checkbox", id: `learner-${k}` });
      box.addEventListener("change", () => { toggle([k], box.checked); });
      return element("li", {}, element("label", {}, box, mark(k), head.learners[k].label));
    });
    whole.addEventListener("change", () => toggle(members, whole.checked));
    const title = element("label", { class: "family" }, whole, family);
    return element("div", {}, title, element("ul", {}, ...boxes));
  });
  byId("families").replaceChildren(...groups);
  markFamilies();
}

function markFamilies() {
  head.learners.forEach((_, k) => { byId(`learner-${k}`).checked = shown(k); });
  head.families.forEach((family, place) => {
    const members = head.learners.map((l, k) => k).filter((k) => head.learners[k].family === family);
    const count = members.filter(shown).length;
    const box = byId(`family-${place}`);
    box.checked = count === members.length;
    box.indeterminate = count > 0 && count < members.length;
  });
}

function toggle(learners, visible) {
  for (const k of learners) {
    if (visible) state.hidden.delete(k);
    else state.hidden.add(k);
  }
  markFamilies();
  drawAll();
}

// A slider sends more events than a screen has pictures.
let waiting = false;
function drawSoon() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    drawErrors();
  });
}

function drawErrors() {
  const now = epsilon();
  const suites = now && now.asked ? " (in the suite)" : "";
  byId("epsilon-text").textContent = now ? `${now.label}: ${now.asks}${suites}` : "none";
  byId("epsilon").setAttribute("aria-valuetext", byId("epsilon-text").textContent);
  byId("cost-epsilon").textContent = now ? now.label : "no error";
  drawSamples();
  drawStandings();
  drawCost();
}

function drawAll() {
  if (!head.targets.length) return;
  drawErrors();
  drawLearning();
  drawSizes();
}

function options(select, values, texts, chosen) {
  select.replaceChildren(
    ...values.map((value, k) => element("option", { value, text: texts[k], selected: value === chosen })),
  );
}

function chooseTarget(k) {
  state.target = k;
  const one = target();
  const dims = one.curves.map((c) => c.d);
  if (!dims.includes(state.d)) state.d = commonDimension(one);
  for (const select of document.querySelectorAll(".d-choice")) {
    options(select, dims, dims.map((d) => `d = ${d}`), state.d);
  }
  const scales = [...new Set(one.epsilons.map((e) => e.scale))];
  if (!scales.includes(state.scale)) state.scale = scales.includes("eps_top") ? "eps_top" : scales[0];
  const meaning = { ...SCALES };
  if (one.metric === "misclassification") meaning.eps = "one: the share of wrong labels";
  options(byId("scale"), scales, scales.map((s) => `${meaning[s]} (${s})`), state.scale);
  const family = one.family && one.family !== one.label ? `family ${one.family}; ` : "";
  byId("target-note").textContent = `${family}${one.rows.reduce((sum, block) => sum + block.count, 0)} rows`;
  const sizes = one.sizes ? one.sizes.panels.map((panel) => panel.size) : [];
  if (!sizes.includes(state.size)) state.size = sizes[0];
  byId("sizes").hidden = !sizes.length;
  options(byId("size"), sizes, sizes.map((size) => size.replace("d^2", "d²")), state.size);
  chooseScale();
  drawLearning();
  drawSizes();
}

// The largest d that the most learners were run at.
function commonDimension(one) {
  const count = (c) => c.bands.length;
  const most = Math.max(...one.curves.map(count));
  return one.curves.filter((c) => count(c) === most).pop().d;
}

function chooseScale() {
  const slider = byId("epsilon");
  const asked = stops().findIndex((e) => e.asked);
  state.stop = asked < 0 ? 0 : asked;
  slider.max = Math.max(0, stops().length - 1);
  slider.value = state.stop;
  drawErrors();
}

function setTheme(theme) {
  state.theme = theme;
  if (theme === "auto") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.setAttribute("data-theme", theme);
  byId("theme").textContent = `Theme: ${theme === "auto" ? "system" : theme}`;
}

function repaint() {
  if (head.targets.length) drawFamilies();
  drawOrigin();
  drawTrace();
  drawAll();
}

function listen() {
  byId("theme").addEventListener("click", () => {
    setTheme(THEMES[(THEMES.indexOf(state.theme) + 1) % THEMES.length]);
    repaint();
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  byId("target").addEventListener("change", (event) => chooseTarget(Number(event.target.value)));
  byId("all").addEventListener("click", () => toggle(head.learners.map((_, k) => k), true));
  byId("none").addEventListener("click", () => toggle(head.learners.map((_, k) => k), false));
  byId("scale").addEventListener("change", (event) => { state.scale = event.target.value; chooseScale(); });
  byId("epsilon").addEventListener("input", (event) => {
    state.stop = Number(event.target.value);
    drawSoon();
  });
  for (const select of document.querySelectorAll(".d-choice")) {
    select.addEventListener("change", () => {
      state.d = Number(select.value);
      for (const other of document.querySelectorAll(".d-choice")) other.value = select.value;
      drawLearning();
      drawCost();
    });
  }
  byId("size").addEventListener("change", (event) => { state.size = event.target.value; drawSizes(); });
  byId("rows-here").addEventListener("click", () => showRows({ d: state.d }));
  byId("rows-close").addEventListener("click", () => byId("rows").close());
  byId("trace").addEventListener("change", (event) => {
    state.trace = Number(event.target.value);
    drawTrace();
  });
}

function start() {
  drawVerdicts();
  drawOrigin();
  listen();
  const some = head.targets.length > 0;
  for (const part of document.querySelectorAll("[data-curves]")) part.hidden = !some;
  if (some) {
    options(byId("target"), head.targets.map((_, k) => String(k)), head.targets, "0");
    drawFamilies();
    chooseTarget(0);
  }
  byId("traces-part").hidden = !head.traces.length;
  if (head.traces.length) {
    options(byId("trace"), head.traces.map((_, k) => String(k)), head.traces.map((t) => t.label), "0");
    drawTrace();
  }
  document.documentElement.setAttribute("data-ready", "");
}

start();
