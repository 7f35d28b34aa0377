// Behaviour of every page, by data attributes; no inline handlers, so that the content policy can forbid them.
"use strict";

document.addEventListener("click", (event) => {
  const toggle = event.target.closest("[data-theme-toggle]");
  if (toggle) {
    const root = document.documentElement;
    const next = root.getAttribute("data-bs-theme") === "dark" ? "light" : "dark";
    root.setAttribute("data-bs-theme", next);
    try { localStorage.setItem("lims-theme", next); } catch (error) { /* private window */ }
    document.dispatchEvent(new CustomEvent("lims:theme"));
  }
});

// A form with data-confirm asks first.
document.addEventListener("submit", (event) => {
  const form = event.target;
  const dialog = document.getElementById("confirm");
  if (form.dataset.confirm && !form.dataset.confirmed && dialog) {
    event.preventDefault();
    document.getElementById("confirm-text").textContent = form.dataset.confirm;
    dialog.onclose = () => {
      if (dialog.returnValue === "yes") { form.dataset.confirmed = "1"; form.requestSubmit(); }
    };
    dialog.showModal();
    return;
  }
  // A double click sends once; what opens beside the page (a preview) leaves the form to be sent.
  if (event.submitter && event.submitter.getAttribute("formtarget")) { return; }
  if ((form.getAttribute("method") || "get").toLowerCase() === "post") {
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "1";
    window.setTimeout(() => { delete form.dataset.sent; }, 4000);
  }
});

// Filters apply as soon as they are chosen.
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-autosubmit]")) { event.target.form.requestSubmit(); }
});

// Something was chosen from a list, and the person has done nothing since: no list opens by itself, whatever still arrives.
let justChosen = false;
["pointerdown", "keydown"].forEach((kind) => document.addEventListener(kind, () => { justChosen = false; }, true));

function lookups() {
  document.querySelectorAll("select[data-lookup-url]").forEach((select) => {
    if (select.tomselect || !window.TomSelect) { return; }
    const shut = () => { box.close(); box.blur(); };
    // What each typed text found, by id in the server's order: what earlier texts found stays loaded, and would otherwise stand
    // in the list, where Enter takes the first.
    const found = new Map();
    const box = new window.TomSelect(select, {
      // What is chosen is chosen: a list that stays open (or comes back when a late answer arrives) covers the fields
      // below it on a phone.
      closeAfterSelect: true,
      onItemAdd: () => { justChosen = true; box.setTextboxValue(""); shut(); window.setTimeout(shut, 0); },
      onLoad: () => { if (document.activeElement !== box.control_input) { shut(); } },
      onDropdownOpen: () => { if (justChosen) { shut(); } },
      valueField: "id", labelField: "text", searchField: [], maxOptions: 50, preload: "focus",
      placeholder: select.dataset.placeholder,
      load: (query, done) => {
        fetch(select.dataset.lookupUrl + "?q=" + encodeURIComponent(query), { headers: { Accept: "application/json" } })
          .then((response) => (response.ok ? response.json() : { results: [] }))
          .then((data) => {
            found.set(query, new Map(data.results.map((option, place) => [String(option.id), place])));
            done(data.results);
          }).catch(() => done());
      },
      shouldLoad: () => true,
      score: (query) => {
        const places = found.get(query);
        const text = query.toLowerCase();
        // Until the answer is here: what is loaded and holds the text.
        if (!places) { return (option) => (option.text.toLowerCase().includes(text) ? 1 : 0); }
        return (option) => (places.has(String(option.id)) ? 1 / (1 + places.get(String(option.id))) : 0);
      },
      render: { no_results: () => { const d = document.createElement("div"); d.className = "no-results"; d.textContent = select.dataset.none; return d; } },
    });
  });
}

// The sampling plan of a batch, as it would be cast, while the volume is typed.
function samplingPlan() {
  const box = document.querySelector("[data-plan-url]");
  if (!box) { return; }
  const names = ["volume_m3", "plan_ages", "cubic_metres_per_set", "specimens_per_set", "sampling_plan"];
  const show = () => {
    const query = new URLSearchParams();
    names.forEach((name) => { const field = document.getElementById("f-" + name); if (field && field.value) { query.set(name, field.value); } });
    if (!query.get("volume_m3")) { box.textContent = box.dataset.empty; return; }
    fetch(box.dataset.planUrl + "?" + query).then((response) => response.json()).then((plan) => {
      box.replaceChildren();
      if (plan.problems) { box.textContent = plan.problems.map((p) => p.message).join("; "); return; }
      plan.ages.forEach((age) => {
        const item = document.createElement("div");
        item.className = "plan-age";
        const days = document.createElement("strong"); days.textContent = age.age_days + " d";
        const text = document.createElement("span");
        text.textContent = (age.sets === 1 ? box.dataset.one : box.dataset.text).replace("{sets}", age.sets).replace("{specimens}", age.specimens);
        item.append(days, text); box.append(item);
      });
    }).catch(() => { box.textContent = box.dataset.empty; });
  };
  names.forEach((name) => { const field = document.getElementById("f-" + name); if (field) { field.addEventListener("input", show); } });
  show();
}

// At the press: Enter goes to the next load, and the strength shows while it is typed (the server decides).
function pressEntry() {
  const form = document.querySelector("[data-press-entry]");
  if (!form) { return; }
  const loads = Array.from(form.querySelectorAll("[data-load]"));
  loads.forEach((input, index) => {
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && index < loads.length - 1) { event.preventDefault(); loads[index + 1].focus(); loads[index + 1].select(); }
    });
    input.addEventListener("input", () => {
      const area = Number(input.dataset.area);
      const load = Number(input.value.trim());
      const output = form.querySelector('[data-strength-for="' + input.name + '"]');
      if (output) { output.textContent = area && load > 0 && Number.isFinite(load) ? (1000 * load / area).toFixed(1) + " MPa" : ""; }
    });
    input.dispatchEvent(new Event("input"));
  });
  const first = loads.find((input) => !input.value) || loads[0];
  if (first && form.hasAttribute("data-focus")) { first.focus(); }
}

document.addEventListener("click", (event) => { if (event.target.closest("[data-print]")) { window.print(); } });

document.addEventListener("DOMContentLoaded", () => { lookups(); samplingPlan(); pressEntry(); });

// On a phone a table's rows become cards: each cell carries its column's name.
document.querySelectorAll("table[data-labelled]").forEach((table) => {
  const names = Array.from(table.tHead.rows[0].cells, (cell) => Array.from(cell.childNodes, (node) => node.textContent.trim()).filter(Boolean).join(" ").replace(/\s+/g, " "));
  Array.from(table.tBodies[0].rows).forEach((row) => Array.from(row.cells).forEach((cell, i) => { cell.dataset.label = names[i]; }));
});

// A page left alone locks: the server ends the session, what is typed stays, the password opens it again.
(() => {
  const dialog = document.getElementById("lock");
  if (!dialog) { return; }
  const minutes = Number(dialog.dataset.minutes);
  const problem = document.getElementById("lock-problem");
  const password = document.getElementById("lock-password");
  const seen = () => { try { localStorage.setItem("lims-seen", String(Date.now())); } catch (error) { /* private window */ } last = Date.now(); };
  const lastSeen = () => { try { return Math.max(last, Number(localStorage.getItem("lims-seen")) || 0); } catch (error) { return last; } };
  let last = Date.now();
  const post = (url, body) => fetch(url, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": dialog.dataset.token } });
  const lock = () => {
    if (dialog.open) { return; }
    document.body.classList.add("locked");
    dialog.showModal(); password.focus();
    post(dialog.dataset.lock, {}).catch(() => undefined);
  };
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    problem.textContent = "";
    post(dialog.dataset.unlock, { password: password.value }).then((response) => response.json().then((data) => {
      password.value = "";
      if (!response.ok) { problem.textContent = data.message; return; }
      dialog.dataset.token = data.token;
      document.querySelectorAll("input[name=csrf_token]").forEach((input) => { input.value = data.token; });
      document.body.classList.remove("locked");
      dialog.close(); seen();
    })).catch(() => { problem.textContent = dialog.dataset.away; });
  });
  document.addEventListener("click", (event) => { if (event.target.closest("[data-lock-now]")) { lock(); } });
  if (minutes > 0) {
    seen();
    ["pointerdown", "keydown", "scroll"].forEach((name) => document.addEventListener(name, () => { if (!dialog.open) { seen(); } }, { passive: true }));
    window.setInterval(() => { if (Date.now() - lastSeen() > minutes * 60000) { lock(); } }, 15000);
  }
})();
