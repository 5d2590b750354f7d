"use strict";
// A click on any cell of the grid leads to the stage on the page of the run. Cells of stages that failed are links themselves.
{
  const table = document.querySelector(".grid");
  table?.addEventListener("click", (event) => {
    const cell = event.target.closest("td[class]");
    const run = cell?.parentElement.querySelector("th a");
    if (!run || event.target.closest("a") || !getSelection().isCollapsed) return;
    const stage = table.tHead.rows[0].cells[cell.cellIndex].dataset.stage;
    location.href = stage === undefined ? run.href : `${run.href}#stage=${encodeURIComponent(stage)}`;
  });
}
