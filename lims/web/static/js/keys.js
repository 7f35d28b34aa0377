// The search box with suggestions, and the keys: / search, j k rows, x tick, Enter open, n new, e edit, ? this list.
"use strict";
(function () {
  const form = document.querySelector("[data-suggest]");
  const input = form && form.querySelector("input[type=search]");
  const box = form && form.querySelector("[role=listbox]");
  let timer = 0;
  let asked = 0;
  let chosen = -1;

  // What is asked or about to be asked is no longer wanted: its answer would open the list again.
  function close() { asked += 1; window.clearTimeout(timer); box.hidden = true; input.setAttribute("aria-expanded", "false"); input.removeAttribute("aria-activedescendant"); chosen = -1; }

  function mark(step) {
    const options = Array.from(box.querySelectorAll("[role=option]"));
    if (!options.length) { return; }
    if (chosen >= 0) { options[chosen].setAttribute("aria-selected", "false"); }
    chosen = (chosen + step + options.length) % options.length;
    options[chosen].setAttribute("aria-selected", "true");
    options[chosen].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", options[chosen].id);
  }

  function show(groups) {
    box.replaceChildren();
    let number = 0;
    groups.forEach((group) => {
      const head = document.createElement("div");
      head.className = "suggestion-head"; head.setAttribute("role", "presentation"); head.textContent = group.title;
      box.append(head);
      group.items.forEach((item) => {
        const link = document.createElement("a");
        link.className = "suggestion"; link.id = "suggestion-" + number++; link.href = item.href; link.tabIndex = -1;
        link.setAttribute("role", "option"); link.setAttribute("aria-selected", "false"); link.textContent = item.title;
        box.append(link);
      });
    });
    chosen = -1;
    box.hidden = !groups.length;
    input.setAttribute("aria-expanded", String(groups.length > 0));
  }

  if (form) {
    input.addEventListener("input", () => {
      window.clearTimeout(timer);
      const text = input.value.trim();
      if (!text) { close(); return; }
      timer = window.setTimeout(() => {
        const mine = ++asked;
        fetch(form.dataset.suggest + "?q=" + encodeURIComponent(text), { headers: { Accept: "application/json" } })
          .then((response) => (response.ok ? response.json() : { groups: [] }))
          .then((data) => { if (mine === asked && document.activeElement === input) { show(data.groups); } })
          .catch(() => { if (mine === asked) { close(); } });
      }, 120);
    });
    input.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); mark(event.key === "ArrowDown" ? 1 : -1); }
      if (event.key === "Escape") { close(); input.blur(); }
      if (event.key === "Enter" && chosen >= 0) { event.preventDefault(); box.querySelectorAll("[role=option]")[chosen].click(); }
    });
    document.addEventListener("click", (event) => { if (!form.contains(event.target)) { close(); } });
    // Tab goes on: the list does not stay over the page. A press in the list leaves the focus where it is.
    form.addEventListener("focusout", (event) => { if (!form.contains(event.relatedTarget)) { close(); } });
    box.addEventListener("mousedown", (event) => event.preventDefault());
  }

  let row = -1;
  function rows() { return Array.from(document.querySelectorAll("[data-rows] tbody tr, a[data-row]")); }
  function move(step) {
    const all = rows();
    if (!all.length) { return; }
    if (row >= 0 && all[row]) { all[row].classList.remove("row-chosen"); }
    row = Math.max(0, Math.min(all.length - 1, row + step));
    all[row].classList.add("row-chosen");
    const link = all[row].matches("a") ? all[row] : all[row].querySelector("a");
    if (link) { link.focus({ preventScroll: true }); }
    all[row].scrollIntoView({ block: "nearest" });
  }

  // A question, or the lock: what stands behind it hears no keys and no scanner, wherever the focus is.
  function asking() { return document.querySelector("dialog[open]") !== null; }

  // What was typed into a form and not sent would be gone. Ticks of a list are no typing; a form that the server sent back
  // (refused, or with a question) holds what was typed though nobody has touched it since.
  const changed = new Set();
  ["input", "change"].forEach((kind) => document.addEventListener(kind, (event) => {
    const typed = event.target.form;
    if (typed && (typed.getAttribute("method") || "get").toLowerCase() === "post" && !typed.matches("[data-bulk]")) { changed.add(typed); }
  }));
  function leave(go) {
    const unsent = document.querySelector("form[method=post] :is(.alert-danger, .is-invalid, [name=confirmed])") || Array.from(changed).some((typed) => typed.isConnected && !typed.dataset.sent);
    if (unsent) { askFirst(document.getElementById("confirm").dataset.leave, go); } else { go(); }
  }

  function open(id) { const dialog = document.getElementById(id); if (dialog && !dialog.open) { dialog.showModal(); } }

  // A scanner types faster than a person and ends with Enter: its code opens the specimen from any page.
  let scanned = "";
  let last = 0;
  document.addEventListener("keydown", (event) => {
    if (event.target.closest("input, textarea, select, [contenteditable], .ts-wrapper") || event.ctrlKey || event.metaKey || event.altKey || asking()) { return; }
    const now = performance.now();
    if (now - last > 60) { scanned = ""; }
    last = now;
    if (event.key === "Enter" && scanned.length >= 6) {
      event.preventDefault(); event.stopImmediatePropagation();
      const link = scanned.match(/\/press\/scan\/([^/?#]+)/i);
      const goal = link ? "/press/scan/" + link[1] : "/search/?go=1&q=" + encodeURIComponent(scanned);
      leave(() => location.assign(goal));
    } else if (event.key.length === 1) {
      scanned += event.key;
      if (scanned.length > 3) { event.stopImmediatePropagation(); }
    }
  }, true);

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) { return; }
    if (event.target.closest("input, textarea, select, [contenteditable], .ts-wrapper") || asking()) { return; }
    const go = (selector) => { const link = document.querySelector(selector); if (link) { event.preventDefault(); leave(() => link.click()); } };
    if (event.key === "/" && input) { event.preventDefault(); input.focus(); input.select(); }
    else if (event.key === "j") { move(1); }
    else if (event.key === "k") { move(-1); }
    else if (event.key === "x") { const all = rows(); const tick = row >= 0 && all[row] && all[row].querySelector("input[type=checkbox]"); if (tick) { tick.click(); } }
    else if (event.key === "n") { go("[data-key=n]"); }
    else if (event.key === "e") { go("[data-key=e]"); }
    else if (event.key === "?") { open("keys"); }
  });
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open]");
    if (opener) { event.preventDefault(); open(opener.dataset.open); }
  });

  // Ticked rows: the bar of what can be done with them shows how many there are.
  const bulk = document.querySelector("[data-bulk]");
  if (bulk) {
    // The boxes are made here, so that a list of 25 rows stays light on the way.
    const table = document.querySelector("[data-ticks]");
    const box = (cell, label) => {
      const input = document.createElement("input");
      input.type = "checkbox"; input.className = "form-check-input"; input.setAttribute("aria-label", label);
      cell.className = "tick"; cell.append(input);
      return input;
    };
    const head = document.createElement("th");
    head.scope = "col";
    box(head, table.dataset.all).dataset.tickAll = "yes";
    table.tHead.rows[0].prepend(head);
    Array.from(table.tBodies[0].rows).forEach((line) => {
      const input = box(line.insertCell(0), line.cells[1].textContent.trim());
      input.name = "id"; input.value = line.dataset.id; input.setAttribute("form", table.dataset.ticks);
    });
    const boxes = () => Array.from(document.querySelectorAll('input[form="' + bulk.getAttribute("id") + '"][name=id]'));
    const count = () => {
      const ticked = boxes().filter((item) => item.checked).length;
      bulk.hidden = !ticked;
      bulk.querySelector("[data-count]").textContent = String(ticked);
    };
    document.addEventListener("change", (event) => {
      if (event.target.matches("[data-tick-all]")) { boxes().forEach((item) => { item.checked = event.target.checked; }); }
      if (event.target.matches("[data-tick-all], input[name=id]")) { count(); }
    });
  }

  if ("serviceWorker" in navigator && window.isSecureContext) { navigator.serviceWorker.register("/sw.js").catch(() => undefined); }
})();
