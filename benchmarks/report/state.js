"use strict";
// What is shown, and how the stored columns are read. Every number comes from the data: none is made here.

const head = JSON.parse(document.getElementById("head").textContent);
const THEMES = ["auto", "light", "dark"];
const SCALES = {
  eps: "the variance of the label",
  eps_rel: "the part above half the top degree",
  eps_top: "the part of the top degree",
  eps_weak: "the part of the weakest direction",
};
// Colours that a dark page would swallow.
const ON_DARK = { "#000000": "#f2f2f2", "#0072B2": "#4da6e0" };
const state = { target: 0, scale: "", stop: 0, d: 0, size: "", hidden: new Set(), theme: "auto", trace: 0 };

const targets = new Map();
function target() {
  if (!targets.has(state.target)) {
    // Parsed when it is shown for the first time: a large page opens at the speed of a small one.
    targets.set(state.target, JSON.parse(document.getElementById(`target-${state.target}`).textContent));
  }
  return targets.get(state.target);
}

function stops() {
  return target().epsilons.filter((e) => e.scale === state.scale);
}

function epsilon() {
  return stops()[state.stop];
}

function curvesHere() {
  return target().curves.find((c) => c.d === state.d);
}

// Errors at the size chosen, where the target has any at declared sizes.
function sizeHere() {
  const { sizes } = target();
  return sizes && sizes.panels.find((panel) => panel.size === state.size);
}

function shown(learner) {
  return !state.hidden.has(learner);
}

// A column is a list, or the one value that all its rows have.
function at(column, i) {
  return Array.isArray(column) ? column[i] : column;
}

function storedRows(wanted) {
  const found = [];
  for (const block of wanted.fixed ? target().sizes.rows : target().rows) {
    if (wanted.learner !== undefined && block.learner !== wanted.learner) continue;
    for (let i = 0; i < block.count; i++) {
      if (wanted.d !== undefined && at(block.d, i) !== wanted.d) continue;
      if (wanted.n !== undefined && at(block.n, i) !== wanted.n) continue;
      if (wanted.index !== undefined && i !== wanted.index) continue;
      found.push({ block, i, n: at(block.n, i), d: at(block.d, i), learner: block.learner });
    }
  }
  return found;
}

function isDark() {
  if (state.theme !== "auto") return state.theme === "dark";
  return window.matchMedia("(prefers-color-scheme: dark)").matches;
}

function colorOf(learner) {
  const color = head.learners[learner].color;
  return (isDark() && ON_DARK[color]) || color;
}

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === false || value === undefined) continue;
    if (name === "text") made.textContent = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

function byId(id) {
  return document.getElementById(id);
}
