// The editor of contexts: what a machine is given is shown while one types, and fields are found by
// their names. Without this file the buttons of the page do the same.
"use strict";
(function () {
  const live = document.querySelector("[data-preview]");
  const form = live && live.closest("form");
  if (form && window.fetch) {
    let waiting = 0, asked = 0;
    const show = function () {
      const mine = ++asked;
      const data = new URLSearchParams(new FormData(form));
      data.delete("secret");
      data.delete("secret_again");
      data.set("do", "preview");
      live.setAttribute("aria-busy", "true");
      fetch(live.dataset.preview, { method: "POST", body: data, credentials: "same-origin" })
        .then((answer) => answer.text().then(function (text) {
          if (mine !== asked || !answer.ok) return;
          live.innerHTML = text;
        }))
        .catch(() => {})
        .finally(function () { if (mine === asked) live.removeAttribute("aria-busy"); });
    };
    const soon = function () {
      window.clearTimeout(waiting);
      waiting = window.setTimeout(show, 500);
    };
    form.addEventListener("input", soon);
    form.addEventListener("change", soon);
    show();
  }

  const box = document.querySelector(".find");
  const find = document.getElementById("find");
  if (!box || !find) return;
  box.hidden = false;
  const said = document.getElementById("found");
  const every = [...document.querySelectorAll("[data-find]")];
  find.addEventListener("keydown", function (event) {
    if (event.key === "Enter") event.preventDefault();
  });
  find.addEventListener("input", function (event) {
    event.stopPropagation();
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const each of every) {
      const text = (each.textContent + " " + (each.closest(".sheet")?.querySelector("h3")?.textContent || "")).toLowerCase();
      const fits = words.every((word) => text.includes(word));
      each.hidden = !fits;
      if (fits) count += 1;
    }
    for (const sheet of document.querySelectorAll(".sheet")) {
      sheet.hidden = words.length > 0 && !sheet.querySelector("[data-find]:not([hidden])");
    }
    for (const tab of document.querySelectorAll(".tab")) {
      if (tab.id !== "preview") tab.hidden = words.length > 0 && !tab.querySelector("[data-find]:not([hidden])");
    }
    said.textContent = words.length ? count + (count === 1 ? " field or part fits" : " fields and parts fit") : "";
  });
})();

// A file that is chosen is read into the field of its text.
(function () {
  const box = document.querySelector("[data-file]");
  if (!box) return;
  const chosen = box.querySelector("input");
  box.hidden = false;
  chosen.addEventListener("change", function () {
    const file = chosen.files[0];
    if (!file || file.size > 1000000) return;
    file.text().then(function (text) {
      document.getElementById(box.dataset.file).value = text;
      const named = document.getElementById("f-file-name");
      if (named) named.value = file.name;
    });
  });
})();
