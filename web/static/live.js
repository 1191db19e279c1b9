// Keeps #live as the server renders it, whole or in parts. Without this file the page is the same, and stands still.
"use strict";
(function () {
  const live = document.getElementById("live");
  const link = document.getElementById("link");
  if (!live || !window.EventSource) return;
  const shown = new Map();
  const later = new Map();

  // What is the same link or button after the replacement.
  function known(one) {
    return one.getAttribute("href") || one.value && one.name + "=" + one.value;
  }

  // What is to be said of the whole ("") and of parts, as far as it can be shown now.
  function replace(name, html) {
    if (name === "") later.clear();
    later.set(name, html);
    for (const [each, text] of later) {
      const box = each === "" ? live : live.querySelector('[data-part="' + each + '"]');
      // A selection must not be taken away under the reader's hands: it is shown next time.
      const selection = window.getSelection();
      if (box && selection && !selection.isCollapsed && selection.containsNode(box, true)) continue;
      later.delete(each);
      if (box && shown.get(each) !== text) put(box, text);
      if (each === "") shown.clear();
      shown.set(each, text);
    }
  }

  function put(box, html) {
    const open = box.querySelector("details[open]") !== null;
    const focused = box.contains(document.activeElement) ? known(document.activeElement) : null;
    box.innerHTML = html;
    document.dispatchEvent(new Event("replaced"));
    const rest = box.querySelector("details");
    if (open && rest) rest.open = true;
    if (focused) {
      for (const a of box.querySelectorAll("a, button")) {
        if (known(a) === focused) { a.focus({ preventScroll: true }); break; }
      }
    }
  }

  function follow() {
    const source = new EventSource(live.dataset.events);
    source.addEventListener("live", function (event) {
      replace("", event.data);
      document.documentElement.dataset.live = "yes";
      link.textContent = "Live.";
    });
    source.addEventListener("part", function (event) {
      const cut = event.data.indexOf("\n");
      replace(event.data.slice(0, cut), event.data.slice(cut + 1));
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
