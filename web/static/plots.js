// What a plot tells where one points or touches is also written below it. Without this file browsers show it as a hint.
"use strict";
(function () {
  let marked = null;
  for (const reading of document.querySelectorAll(".figure .reading")) reading.hidden = false;

  function read(event) {
    const target = event.target;
    if (!(target instanceof Element)) return;
    const hit = target.closest(".plot .hits path, .bars g, .world [class^='v']");
    if (hit === marked) return;
    if (marked) marked.classList.remove("at");
    marked = hit;
    const figure = target.closest(".figure");
    const reading = figure && figure.querySelector(".reading");
    if (!reading || !hit) return;
    hit.classList.add("at");
    reading.textContent = hit.querySelector("title").textContent;
  }
  document.addEventListener("pointerover", read);
  document.addEventListener("pointerdown", read);
})();
