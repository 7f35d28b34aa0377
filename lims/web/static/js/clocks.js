// Running clocks count down without a reload; the server's limits judge.
"use strict";

(function () {
  const box = document.querySelector("[data-clocks]");
  if (!box) { return; }
  const words = JSON.parse(box.dataset.clocks);
  const clocks = Array.from(box.querySelectorAll("[data-clock]"));
  function show() {
    clocks.forEach((element) => {
      const seconds = Math.trunc((Date.parse(element.dataset.clock) - Date.now()) / 1000);
      const whole = Math.floor(Math.abs(seconds) / 60);
      const days = Math.floor(whole / 1440), hours = Math.floor(whole / 60) % 24, minutes = whole % 60;
      const parts = [];
      if (days) { parts.push(words.days.replace("{n}", days)); }
      if (hours || days) { parts.push(words.hours.replace("{n}", hours)); }
      if (!days) { parts.push(words.minutes.replace("{n}", minutes)); }
      element.textContent = (seconds >= 0 ? words.left : words.late).replace("{time}", parts.join(" "));
      const card = element.closest(".clock");
      if (card && seconds < 0) { card.classList.remove("clock-running"); card.classList.add("clock-late"); }
    });
  }
  if (clocks.length) { show(); window.setInterval(show, 15000); }
}());
