// Keeps #live as the server renders it. Without this file the page is the same, and stands still.
"use strict";
(function () {
  const live = document.getElementById("live");
  const link = document.getElementById("link");
  if (!live || !window.EventSource) return;
  let shown = null;

  // What is the same link or button after the replacement.
  function known(one) {
    return one.getAttribute("href") || one.value && one.name + "=" + one.value;
  }

  function replace(html) {
    if (html === shown) return;
    // A selection or an open list must not be taken away under the reader's hands.
    const selection = window.getSelection();
    if (selection && !selection.isCollapsed && live.contains(selection.anchorNode)) return;
    const open = live.querySelector("details[open]") !== null;
    const focused = live.contains(document.activeElement) ? known(document.activeElement) : null;
    live.innerHTML = html;
    shown = html;
    document.dispatchEvent(new Event("replaced"));
    const rest = live.querySelector("details");
    if (open && rest) rest.open = true;
    if (focused) {
      for (const a of live.querySelectorAll("a, button")) {
        if (known(a) === focused) { a.focus({ preventScroll: true }); break; }
      }
    }
  }

  function follow() {
    const source = new EventSource(live.dataset.events);
    source.addEventListener("live", function (event) {
      replace(event.data);
      document.documentElement.dataset.live = "yes";
      link.textContent = "Live.";
    });
    source.onerror = function () {
      document.documentElement.dataset.live = "no";
      link.textContent = "The connection is lost; trying again.";
      // After an answer that is no stream the browser gives up by itself.
      if (source.readyState === EventSource.CLOSED) window.setTimeout(follow, 15000);
    };
    window.addEventListener("pagehide", function () { source.close(); }, { once: true });
  }
  follow();
})();
