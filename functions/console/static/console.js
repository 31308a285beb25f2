// What needs a script: pages that keep themselves up to date, the confirm dialog, filters that apply at once.
// Everything works without it: links lead to pages, forms have buttons.
"use strict";

const EVERY = 2500;      // ms between two looks
const HANDS_OFF = 1500;  // ms without a touch before the page may change under the reader
const live = document.querySelector("[data-live]");
const dialog = document.querySelector("dialog");
const title = document.title;
let touched = 0;

for (const name of ["pointerdown", "keydown", "wheel", "touchmove"]) {
  addEventListener(name, () => { touched = performance.now(); }, { passive: true });
}

function busy() {
  const active = document.activeElement;
  return document.hidden || (dialog && dialog.open) || performance.now() - touched < HANDS_OFF ||
    !getSelection().isCollapsed || (live.contains(active) && active.matches("input, select, textarea"));
}

async function look() {
  if (busy()) return;
  const answer = await fetch(live.dataset.live, { headers: { Accept: "text/html" } });
  if (answer.redirected || answer.status === 401) return location.reload();
  if (!answer.ok) throw new Error(answer.status);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").body;
  if (!busy()) patch(fresh);
}

// Only parts that changed are replaced, and none that the reader is at: focus and half-written notes stay.
function patch(fresh) {
  const keys = (root) => [...root.querySelectorAll("[data-key]")];
  const now = keys(live), then = keys(fresh);
  if (now.map((e) => e.dataset.key).join("\n") === then.map((e) => e.dataset.key).join("\n")) {
    now.forEach((element, i) => {
      if (same(element, then[i], false) || inUse(element)) return;
      element.querySelectorAll("details").forEach((d, n) => then[i].querySelectorAll("details")[n]?.toggleAttribute("open", d.open));
      if (then[i].matches("tr, li") && !same(element, then[i], true)) then[i].classList.add("fresh");
      element.replaceWith(then[i]);
    });
  } else if (!inUse(live)) {
    live.replaceChildren(...fresh.childNodes);
  }
  tell();
}

function inUse(element) {
  const typed = [...element.querySelectorAll("input:not([type=hidden]), textarea")].some((e) => e.value !== e.defaultValue);
  return typed || element.contains(document.activeElement);
}

// `ageless`: that "in 3 minutes" has become "in 2" is no news.
function same(one, other, ageless) {
  const plain = (element) => {
    const copy = element.cloneNode(true);
    copy.classList.remove("fresh");
    copy.querySelectorAll("details").forEach((d) => d.removeAttribute("open"));
    copy.querySelectorAll("[name=csrf]").forEach((d) => d.removeAttribute("value"));
    if (ageless) copy.querySelectorAll(".ago").forEach((a) => { a.textContent = ""; });
    if (!copy.className) copy.removeAttribute("class");
    return copy.outerHTML;
  };
  return plain(one) === plain(other);
}

function tell() {
  const figures = document.querySelector("[data-trouble]");
  const trouble = figures ? Number(figures.dataset.trouble) : 0;
  document.title = trouble ? `(${trouble}) ${title}` : title;
}

async function follow() {
  let wait = EVERY;
  try { await look(); } catch (error) { wait = EVERY * 4; }
  document.body.classList.toggle("offline", wait !== EVERY);
  setTimeout(follow, wait);
}
if (live) { tell(); setTimeout(follow, EVERY); }

// "Run now" and "Dry run" ask in a dialog; the page they lead to holds the form.
addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-dialog]");
  if (!link || !dialog || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  const answer = await fetch(link.href);
  const form = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("#ask");
  if (!answer.ok || answer.redirected || !form) { location.assign(link.href); return; }
  dialog.replaceChildren(form);
  dialog.showModal();
  dialog.addEventListener("close", () => link.focus(), { once: true });
});

addEventListener("click", (event) => {
  const close = event.target.closest("[data-close]");
  if (dialog && dialog.open && (close || event.target === dialog)) { event.preventDefault(); dialog.close(); }
});

addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method === "post") setTimeout(() => form.querySelectorAll("button").forEach((b) => { b.disabled = true; }));
});
addEventListener("pageshow", () => document.querySelectorAll("form button[disabled]").forEach((b) => { b.disabled = false; }));

for (const form of document.querySelectorAll("form[data-submit-on-change]")) {
  form.classList.add("applies-itself");
  form.addEventListener("change", () => form.requestSubmit());
  form.addEventListener("submit", () => form.querySelectorAll("select, input").forEach((e) => { if (!e.value) e.disabled = true; }));
}
addEventListener("pageshow", () => document.querySelectorAll("form.applies-itself [disabled]").forEach((e) => { e.disabled = false; }));
