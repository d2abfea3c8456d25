"use strict";

// Fetches the page every few seconds and patches the document in place, which keeps scroll position, focus, selection
// and unfolded details. Pauses in a hidden tab.

const REFRESH_MS = 5000;
const TIMEOUT_MS = 4000;

let timer = 0;
let running = false;
let lastUpdate = performance.now();

async function update() {
  clearTimeout(timer);
  if (running || document.hidden) return;
  running = true;
  try {
    const response = await fetch(location.pathname, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    show(new DOMParser().parseFromString(await response.text(), "text/html"));
    lastUpdate = performance.now();
    showStatus("");
  } catch {
    const seconds = Math.round((performance.now() - lastUpdate) / 1000);
    showStatus(`The tally does not respond. Last update: ${ago(seconds)}.`);
  } finally {
    running = false;
    timer = setTimeout(update, REFRESH_MS);
  }
}

function ago(seconds) {
  return seconds < 120 ? "a moment ago" : `${Math.round(seconds / 60)} minutes ago`;
}

function showStatus(text) {
  const live = document.getElementById("live");
  document.documentElement.classList.toggle("lost", text !== "");
  // Screen readers announce every assignment.
  if (live.textContent !== text) live.textContent = text;
}

function show(page) {
  if (page.documentElement.dataset.build !== document.documentElement.dataset.build) {
    location.reload(); // the tally was upgraded, and the page's files with it
    return;
  }
  const focused = document.activeElement;
  if (document.title !== page.title) document.title = page.title;
  morph(document.body, page.body);
  // Moving an element loses the focus.
  if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
}

function morph(old, fresh) {
  if (old.id === "live") return;
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  const keyed = new Map();
  for (const child of old.children) {
    if (child.dataset.key !== undefined) keyed.set(child.dataset.key, child);
  }
  let at = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const key = child.dataset?.key;
    const match = key === undefined ? at : keyed.get(key);
    if (!match || !alike(match, child)) {
      old.insertBefore(child, at);
      continue;
    }
    if (match === at) at = at.nextSibling;
    else old.insertBefore(match, at);
    if (match.nodeType === Node.ELEMENT_NODE) morph(match, child);
    else if (match.data !== child.data) match.data = child.data;
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function alike(old, fresh) {
  return old.nodeName === fresh.nodeName && old.dataset?.key === fresh.dataset?.key;
}

document.addEventListener("visibilitychange", update);
timer = setTimeout(update, REFRESH_MS);
