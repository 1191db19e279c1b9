// Keeps #live as the server renders it, whole or in parts (server/handlers/sse.py). What is the same stays the very
// same, with what the reader has opened, chosen, typed, focused or selected. Without this file the page stands still.
"use strict";
(function () {
  const live = document.getElementById("live");
  const link = document.getElementById("link");
  if (!live || !window.EventSource) return;
  const later = new Map(); // by the name of a part, "" the whole: what waits until a selection is over
  let waiting = null; // the whole, as long as it would move what somebody reads
  const bar = live.insertAdjacentElement("afterend", document.createElement("button"));
  bar.className = "button main news";
  bar.type = "button";
  bar.hidden = true;
  bar.ariaLive = "polite";

  const named = (where, name) => name ? where.querySelector('[data-part="' + name + '"]') : where;

  // By what one is known again among its siblings: its kind, and its name if it has one.
  function kind(node) {
    if (node.nodeType !== Node.ELEMENT_NODE) return node.nodeName;
    for (const name of ["id", "data-part", "data-keep", "aria-labelledby", "action", "href"]) {
      if (node.hasAttribute(name)) return node.nodeName + " " + node.getAttribute(name);
    }
    if (node.hasAttribute("name")) return [node.nodeName, node.getAttribute("name"), node.getAttribute("value")].join(" ");
    const led = /^(TR|LI)$/.test(node.nodeName) && node.querySelector("a[href]");
    return led ? node.nodeName + " " + led.getAttribute("href") : node.nodeName;
  }

  // Make what is shown like what it is now, and touch nothing else.
  function morph(old, now) {
    if (old.isEqualNode(now)) return;
    if (old.nodeType !== Node.ELEMENT_NODE) { old.nodeValue = now.nodeValue; return; }
    if ("keep" in old.dataset) return;
    const mine = (name) => name === "open" && old.nodeName === "DETAILS"; // what is unfolded is the reader's
    for (const { name } of [...old.attributes]) if (!now.hasAttribute(name) && !mine(name)) old.removeAttribute(name);
    for (const { name, value } of now.attributes) if (old.getAttribute(name) !== value && !mine(name)) old.setAttribute(name, value);
    const coming = [...now.childNodes], left = new Map();
    for (const one of coming) left.set(kind(one), (left.get(kind(one)) || 0) + 1);
    let next = old.firstChild;
    for (const one of coming) {
      const known = kind(one), blank = (node) => node.nodeType === Node.TEXT_NODE && known !== "#text" && !node.nodeValue.trim();
      while (next && (!left.get(kind(next)) || blank(next))) next = drop(next);
      left.set(known, left.get(known) - 1);
      let found = next;
      if (known.includes(" ")) while (found && kind(found) !== known) found = found.nextSibling;
      if (!found || kind(found) !== known) { old.insertBefore(one, next); continue; }
      if (found === next) next = next.nextSibling;
      else old.insertBefore(found, next);
      morph(found, one);
    }
    while (next) next = drop(next);
  }

  function drop(node) {
    const next = node.nextSibling;
    node.remove();
    return next;
  }

  // The rows that come and go, if that would move a list that is being read: where they are only added behind, it does not.
  function moved(now) {
    let sums = null;
    for (const list of live.querySelectorAll("[data-steady]")) {
      const next = now.querySelector('[data-steady="' + list.dataset.steady + '"]');
      const [before, after] = [list, next].map((each) => each ? [...each.children].map(kind) : []);
      if (before.every((name, n) => after[n] === name) || list.getBoundingClientRect().top >= window.innerHeight) continue;
      sums = sums || { come: 0, gone: 0 };
      sums.come += after.filter((name) => !before.includes(name)).length;
      sums.gone += before.filter((name) => !after.includes(name)).length;
    }
    return sums;
  }

  // Each part is renewed where it stands; the rest waits for a word of the reader.
  function hold(now, sums) {
    for (const box of live.querySelectorAll("[data-part]")) {
      const one = named(now, box.dataset.part);
      if (one) morph(box, one.cloneNode(true));
      else if (box.closest("[data-steady]")) box.classList.add("gone");
    }
    waiting = now;
    const said = [sums.come && sums.come + " new", sums.gone && sums.gone + " gone"].filter(Boolean).join(", ") || "another order";
    bar.textContent = "Show what has changed: " + said;
    bar.hidden = false;
  }

  function show(now) {
    waiting = null;
    bar.hidden = true;
    morph(live, now);
  }
  bar.addEventListener("click", function () {
    if (waiting) show(waiting);
    live.querySelector("a, button, input")?.focus({ preventScroll: true });
  });

  function put(name, html) {
    const box = named(live, name), late = name && waiting && named(waiting, name);
    if (late) late.innerHTML = html;
    if (!box) return;
    const now = box.cloneNode(false);
    now.innerHTML = html;
    // A part that is as it was comes empty.
    for (const one of now.querySelectorAll("[data-same]")) {
      const was = waiting && named(waiting, one.dataset.part) || named(live, one.dataset.part);
      one.removeAttribute("data-same");
      if (was) one.append(...was.cloneNode(true).childNodes);
    }
    const sums = name ? null : moved(now);
    if (name) morph(box, now);
    else if (sums) hold(now, sums);
    else show(now);
    document.dispatchEvent(new Event("replaced"));
  }

  // A selection must not be taken away under the reader's hands: what it lies in waits until it is over.
  function flush() {
    const selection = window.getSelection();
    for (const [name, html] of later) {
      const box = named(live, name);
      if (box && selection && !selection.isCollapsed && selection.containsNode(box, true)) continue;
      // A part that is newer than a whole that waits is shown now, and again after it.
      if (name === "" || !later.has("")) later.delete(name);
      put(name, html);
    }
  }
  document.addEventListener("selectionchange", function () { if (later.size) flush(); });

  function told(name, html) {
    if (name === "") later.clear();
    later.set(name, html);
    flush();
  }

  let source = null, again = 0, opened = 0;

  function follow() {
    window.clearTimeout(again);
    if (source || document.hidden) return;
    source = new EventSource(live.dataset.events);
    source.addEventListener("live", function (event) {
      document.documentElement.dataset.live = "yes";
      link.textContent = "Live.";
      told("", event.data);
    });
    source.addEventListener("part", function (event) {
      const cut = event.data.indexOf("\n");
      told(event.data.slice(0, cut), event.data.slice(cut + 1));
    });
    // What is large comes only when it changes: who was away takes it from the page.
    source.onopen = function () { if (opened++ && live.querySelector("[data-slow]")) renew(); };
    source.addEventListener("over", function (event) { leave(); still(event.data); });
    source.onerror = function () {
      still("The connection is lost; trying again.");
      // After an answer that is no stream the browser gives up by itself; the answer says why.
      if (source.readyState !== EventSource.CLOSED) return;
      leave();
      again = window.setTimeout(follow, 15000);
      why();
    };
  }

  async function renew() {
    const text = await fetch(location.href).then((answer) => answer.ok ? answer.text() : "", () => "");
    const now = new DOMParser().parseFromString(text, "text/html").getElementById("live");
    if (now) told("", now.innerHTML);
  }

  function leave() {
    if (source) source.close();
    source = null;
  }

  function still(words) {
    document.documentElement.dataset.live = "no";
    link.textContent = words;
  }

  async function why() {
    const stop = new AbortController();
    try {
      const answer = await fetch(live.dataset.events, { signal: stop.signal });
      if (!answer.ok) still((await answer.json()).detail + " Trying again.");
    } catch (error) { /* no answer at all: that is said already */ }
    stop.abort();
  }

  // A page that nobody looks at takes nobody's place.
  document.addEventListener("visibilitychange", function () { if (document.hidden) leave(); else follow(); });
  window.addEventListener("pagehide", leave);
  window.addEventListener("pageshow", follow);
  follow();
})();
