"use strict";
const stages = [...document.querySelectorAll("details.stage")];
const filter = document.getElementById("filter");
const groups = [...document.querySelectorAll("details.instances")];
const groupOf = (stage) => stage.parentElement.closest("details.instances");
const shown = () => stages.filter((stage) => !stage.hidden && (groupOf(stage)?.open ?? true));

function named(hash) {
  try {
    return decodeURIComponent(hash.slice(1));
  } catch {
    return ""; // a link that was cut leads to no stage
  }
}

function reveal(hash) {
  const stage = document.getElementById(named(hash));
  if (!stage || !stage.matches("details.stage")) return;
  stage.hidden = false;
  const group = groupOf(stage);
  if (group) group.hidden = !(group.open = true);
  stage.open = true;
  stage.querySelector("summary").focus({ preventScroll: true });
  stage.scrollIntoView({ block: "start" });
}

function narrow() {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const stage of stages) stage.hidden = !words.every((word) => stage.dataset.text.includes(word));
  for (const group of groups) {
    group.hidden = ![...group.querySelectorAll("details.stage")].some((stage) => !stage.hidden);
    if (words.length && !group.hidden) group.open = true;
  }
  document.getElementById("count").textContent = words.length ? `${shown().length} of ${stages.length}` : "";
}

function move(from, step) {
  const all = shown();
  const next = all[all.indexOf(from) + step];
  if (next) next.querySelector("summary").focus();
}

// What went wrong is at the end of a log; a log that somebody has scrolled stays where it is.
function showEnd(stage) {
  const log = stage.querySelector("pre.log");
  if (stage.open && log && log.scrollTop === 0) log.scrollTop = log.scrollHeight;
}

// A graph that is wider than its panel shrinks, but not so far that nobody can read it; what failed is in sight.
const SMALLEST = 0.6;
const drawing = document.querySelector(".graph svg");
if (drawing) {
  drawing.style.minWidth = `${drawing.width.baseVal.value * SMALLEST}px`;
  const failed = drawing.querySelector("g:is(.failed, .timed_out, .error)");
  if (failed) {
    const panel = drawing.closest(".graph");
    const [box, frame] = [failed.getBoundingClientRect(), panel.getBoundingClientRect()];
    panel.scrollLeft += box.left + box.width / 2 - frame.left - frame.width / 2;
    panel.scrollTop += box.top + box.height / 2 - frame.top - frame.height / 2;
  }
}

for (const stage of document.querySelectorAll("details.stage.to-blame")) stage.addEventListener("toggle", () => showEnd(stage));
addEventListener("hashchange", () => reveal(location.hash));
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#stage="]');
  if (link && link.getAttribute("href") === location.hash) reveal(location.hash);
});
if (filter) {
  filter.addEventListener("input", narrow);
  document.getElementById("open-all").addEventListener("click", () => {
    for (const group of groups) group.open = true;
    for (const stage of shown()) stage.open = true;
  });
  document.getElementById("close-all").addEventListener("click", () => stages.forEach((stage) => (stage.open = false)));
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === filter) {
    if (event.key === "Escape") {
      filter.value = "";
      narrow();
    } else if (event.key === "ArrowDown") {
      event.preventDefault();
      shown()[0]?.querySelector("summary").focus();
    }
    return;
  }
  const stage = event.target.closest?.("details.stage");
  const onSummary = stage && event.target === stage.querySelector("summary");
  if (event.key === "/" && filter) {
    event.preventDefault();
    filter.focus();
  } else if (event.key === "Escape" && stage) {
    stage.open = false;
    stage.querySelector("summary").focus();
  } else if (onSummary && event.key === "ArrowDown") {
    event.preventDefault();
    move(stage, 1);
  } else if (onSummary && event.key === "ArrowUp") {
    event.preventDefault();
    move(stage, -1);
  }
});
// A page that has loaded itself again stays where it was.
if (location.hash && !("reloaded" in document.body.dataset)) reveal(location.hash);
