// Small conveniences. Without this file every page says and does the same.
"use strict";
(function () {
  // What is left of a time that something holds, counted from the server's own clock.
  function countDown() {
    for (const shown of document.querySelectorAll("[data-left]:not([data-counts])")) {
      shown.dataset.counts = "yes";
      const end = performance.now() + 1000 * Number(shown.dataset.left);
      const left = document.createElement("strong");
      shown.prepend(left, " ");
      const tick = function () {
        if (!left.isConnected) return;
        const seconds = Math.max(0, Math.ceil((end - performance.now()) / 1000));
        const parts = [Math.floor(seconds / 60) % 60, seconds % 60];
        if (seconds >= 3600) parts.unshift(Math.floor(seconds / 3600));
        left.textContent = parts.map((n, k) => (k ? String(n).padStart(2, "0") : n)).join(":");
        if (seconds) window.setTimeout(tick, 250);
        else if (shown.dataset.then === "reload") window.setTimeout(() => location.reload(), 1000);
      };
      tick();
    }
  }
  countDown();
  document.addEventListener("replaced", countDown);

  // Texts can be copied.
  for (const button of document.querySelectorAll("[data-copy]")) {
    const from = document.getElementById(button.dataset.copy);
    if (!from || !navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", function () {
      navigator.clipboard.writeText(from.textContent).then(function () {
        button.textContent = "Copied";
        window.setTimeout(() => { button.textContent = "Copy"; }, 2000);
      });
    });
  }

  // Rows of a form grow: whoever writes in the last one is given another.
  for (const rows of document.querySelectorAll("[data-rows]")) {
    rows.addEventListener("input", function (event) {
      const last = rows.lastElementChild;
      if (!last || !last.contains(event.target) || !event.target.value) return;
      const before = "[" + (rows.children.length - 1) + "]";
      const after = "[" + rows.children.length + "]";
      const next = last.cloneNode(true);
      next.setAttribute("aria-label", next.getAttribute("aria-label").replace(/\d+$/, rows.children.length + 1));
      for (const each of next.querySelectorAll("[id], [name], [for]")) {
        for (const name of ["id", "name", "for"]) {
          const value = each.getAttribute(name);
          if (value) each.setAttribute(name, value.replace(before, after));
        }
      }
      for (const each of next.querySelectorAll("input, select")) {
        each.value = "";
        each.removeAttribute("aria-invalid");
        each.removeAttribute("aria-describedby");
      }
      for (const each of next.querySelectorAll(".error")) each.remove();
      rows.append(next);
    });
  }

  // The tab that is being read is marked.
  const tabs = [...document.querySelectorAll(".tabs a")];
  if (tabs.length && window.IntersectionObserver) {
    const seen = new IntersectionObserver(function (found) {
      const first = found.find((each) => each.isIntersecting);
      if (!first) return;
      for (const tab of tabs) {
        if (tab.hash === "#" + first.target.id) tab.setAttribute("aria-current", "true");
        else tab.removeAttribute("aria-current");
      }
    }, { rootMargin: "-20% 0px -70% 0px" });
    for (const tab of tabs) {
      const section = document.getElementById(tab.hash.slice(1));
      if (section) seen.observe(section);
    }
  }
})();
