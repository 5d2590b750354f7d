"use strict";
// Loads the page again while somebody looks at it. What is open stays open, and so does what somebody reads.
{
  const place = `open ${location.pathname}`;
  const before = sessionStorage.getItem(place);
  sessionStorage.removeItem(place);
  for (const id of JSON.parse(before ?? "[]")) {
    const one = document.getElementById(id);
    if (one) one.open = true;
  }
  if (before !== null) document.body.dataset.reloaded = "";

  const seconds = Number(document.body.dataset.refresh ?? 0);
  const isRead = () => document.hidden || !getSelection().isCollapsed || document.getElementById("filter")?.value;
  const again = async () => {
    if (isRead()) return;
    try {
      if (!(await fetch("/", { method: "HEAD" })).ok) return;
    } catch {
      return; // the server has ended: what was shown last stays
    }
    const opened = [...document.querySelectorAll("details[id]")].filter((one) => one.open).map((one) => one.id);
    sessionStorage.setItem(place, JSON.stringify(opened));
    location.reload();
  };
  if (seconds) setInterval(again, seconds * 1000);
}
