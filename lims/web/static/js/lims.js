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

// The page's question; `then` runs after a yes. A yes to the question before would stand for Escape in this one.
function askFirst(text, then) {
  const dialog = document.getElementById("confirm");
  document.getElementById("confirm-text").textContent = text;
  dialog.returnValue = "";
  dialog.onclose = () => { if (dialog.returnValue === "yes") { then(); } };
  dialog.showModal();
}

// A form with data-confirm asks first.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.confirm && !form.dataset.confirmed && document.getElementById("confirm")) {
    event.preventDefault();
    askFirst(form.dataset.confirm, () => { form.dataset.confirmed = "1"; form.requestSubmit(); delete form.dataset.confirmed; });
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

// Files that are more than the server takes are refused here, where the form keeps what was typed.
document.addEventListener("change", (event) => {
  const field = event.target;
  if (!field.dataset || !field.dataset.mostBytes) { return; }
  const bytes = Array.from(field.files, (file) => file.size).reduce((sum, size) => sum + size, 0);
  field.setCustomValidity(bytes > Number(field.dataset.mostBytes) ? field.dataset.tooLarge : "");
  field.reportValidity();
});

document.querySelectorAll("[data-copy]").forEach((button) => button.addEventListener("click", () => {
  const field = document.getElementById(button.dataset.copy);
  const done = () => { button.textContent = button.dataset.done; };
  field.focus(); field.select();
  if (navigator.clipboard) { navigator.clipboard.writeText(field.value).then(done, () => undefined); } // else: plain http of a works' network
  else if (document.execCommand("copy")) { done(); }
}));
// What is there to be copied is marked as a whole: by Tab, and by a click, which would set a caret after the focus.
document.querySelectorAll("[data-select]").forEach((field) => ["focus", "click"].forEach((kind) => field.addEventListener(kind, () => field.select())));

// Something was chosen from a list, and the person has done nothing since: no list opens by itself, whatever still arrives.
let justChosen = false;
["pointerdown", "keydown"].forEach((kind) => document.addEventListener(kind, () => { justChosen = false; }, true));

function lookups() {
  document.querySelectorAll("select[data-lookup-url]").forEach((select) => {
    if (select.tomselect || !window.TomSelect) { return; }
    const shut = () => { box.close(); box.blur(); };
    const chosen = () => { justChosen = true; box.setTextboxValue(""); shut(); window.setTimeout(shut, 0); };
    // What each typed text found, by id in the server's order: what earlier texts found stays loaded, and would otherwise stand
    // in the list, where Enter takes the first.
    const found = new Map();
    const unanswered = new Set();
    const box = new window.TomSelect(select, {
      // What is chosen is chosen: a list that stays open (or comes back when a late answer arrives) covers the fields
      // below it on a phone.
      closeAfterSelect: true,
      onItemAdd: chosen,
      onLoad: () => { if (document.activeElement !== box.control_input) { shut(); } },
      onDropdownOpen: () => { if (justChosen) { shut(); } },
      valueField: "id", labelField: "text", searchField: [], maxOptions: 50, preload: "focus",
      placeholder: select.dataset.placeholder,
      // What is loaded is sifted at each key: waiting for it, a list left by then would open again and take the focus along.
      refreshThrottle: 0,
      loadThrottle: 150,  // ms after the last key: half of what TomSelect waits by itself, and seen as at once
      load: (query, done) => {
        fetch(select.dataset.lookupUrl + "?q=" + encodeURIComponent(query), { headers: { Accept: "application/json" } })
          .then((response) => { if (!response.ok) { throw new Error(response.statusText); } return response.json(); })
          .then((data) => {
            unanswered.delete(query);
            found.set(query, new Map(data.results.map((option, place) => [String(option.id), place])));
            done(data.results);
          }).catch(() => {
            // Nobody answered, so nothing is known: the same text asks again, and so does the next focus of an empty box.
            unanswered.add(query);
            delete box.loadedSearches[query];
            if (!query) { box.wrapper.classList.remove("preloaded"); }
            done();
          });
      },
      shouldLoad: () => true,
      score: (query) => {
        const places = found.get(query);
        const text = query.toLowerCase();
        // Until the answer is here: what is loaded and holds the text.
        if (!places) { return (option) => (option.text.toLowerCase().includes(text) ? 1 : 0); }
        return (option) => (places.has(String(option.id)) ? 1 / (1 + places.get(String(option.id))) : 0);
      },
      render: {
        no_results: (data) => {
          const line = document.createElement("div");
          const lock = document.getElementById("lock");
          line.className = "no-results";
          line.textContent = unanswered.has(data.input) && lock ? lock.dataset.away : select.dataset.none;
          return line;
        },
      },
    });
    // What was chosen before is chosen again without being added.
    box.dropdown.addEventListener("click", (event) => { if (event.target.closest("[data-selectable]")) { chosen(); } });
  });
}

// The sampling plan of a batch, as it would be cast, while the volume is typed.
function samplingPlan() {
  const box = document.querySelector("[data-plan-url]");
  if (!box) { return; }
  const names = ["volume_m3", "plan_ages", "cubic_metres_per_set", "specimens_per_set", "sampling_plan", "shape", "width_mm"];
  const sentence = (problem) => {
    const field = document.getElementById("f-" + problem.field.split(".")[0]);
    const label = field && field.labels && field.labels[0];
    return (label ? label.textContent.trim() + ": " : "") + problem.message;
  };
  let asked = 0;
  const show = () => {
    const mine = ++asked; // an answer that was overtaken is of another volume
    const query = new URLSearchParams();
    names.forEach((name) => { const field = document.getElementById("f-" + name); if (field && field.value) { query.set(name, field.value); } });
    if (!query.get("volume_m3")) { box.textContent = box.dataset.empty; return; }
    fetch(box.dataset.planUrl + "?" + query, { headers: { Accept: "application/json" } }).then((response) => response.json()).then((plan) => {
      if (mine !== asked) { return; }
      if (plan.problems && plan.problems.length) { box.textContent = plan.problems.map(sentence).join("; "); return; }
      box.replaceChildren();
      plan.ages.forEach((age) => {
        const item = document.createElement("div");
        item.className = "plan-age";
        const days = document.createElement("strong"); days.textContent = age.age_days + " d";
        const text = document.createElement("span");
        text.textContent = (age.sets === 1 ? box.dataset.one : box.dataset.text).replace("{sets}", age.sets).replace("{specimens}", age.specimens);
        item.append(days, text); box.append(item);
      });
    }).catch(() => { if (mine === asked) { box.textContent = document.getElementById("lock").dataset.away; } });
  };
  names.forEach((name) => { const field = document.getElementById("f-" + name); if (field) { field.addEventListener("input", show); } });
  show();
}

// At the press: Enter goes to the next load, and the strengths and the set's verdict show while they are typed, as on the
// entry page (the server decides).
function pressEntry() {
  const form = document.querySelector("[data-press-entry]");
  if (!form) { return; }
  const loads = Array.from(form.querySelectorAll("[data-load]"));
  const strength = (input) => {
    const area = Number(input.dataset.area);
    const text = input.value.trim().normalize("NFKC");
    return area && /^\d+(\.\d+)?$/.test(text) && Number(text) > 0 ? 1000 * Number(text) / area : NaN;
  };
  const box = form.querySelector("[data-verdict]");
  loads.forEach((input, index) => {
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && index < loads.length - 1) { event.preventDefault(); loads[index + 1].focus(); loads[index + 1].select(); }
    });
    input.addEventListener("input", () => {
      const output = form.querySelector('[data-strength-for="' + input.name + '"]');
      if (output) { output.textContent = Number.isFinite(strength(input)) ? strength(input).toFixed(1) + " MPa" : ""; }
      window.showVerdict(box, loads.map(strength), box.dataset.verdict, box.dataset.factor, box.dataset);
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
  // "Strength, MPa": as where a template writes it; the arrow of the order belongs to the head alone.
  const names = Array.from(table.tHead.rows[0].cells, (cell) => Array.from(cell.children.length ? cell.childNodes : [cell], (node) => node.textContent.replace(/[↑↓]/g, "").replace(/\s+/g, " ").trim()).filter(Boolean).join(", "));
  Array.from(table.tBodies[0].rows).forEach((row) => Array.from(row.cells).forEach((cell, i) => { cell.dataset.label = names[i]; }));
});

// A page left alone locks: the server ends the session, what is typed stays, the password opens it again.
(() => {
  const dialog = document.getElementById("lock");
  if (!dialog) { return; }
  const minutes = Number(dialog.dataset.minutes);
  const problem = document.getElementById("lock-problem");
  const password = document.getElementById("lock-password");
  const note = (name) => { try { localStorage.setItem(name, String(Date.now())); } catch (error) { /* private window */ } };
  const noted = (name) => { try { return Number(localStorage.getItem(name)) || 0; } catch (error) { return 0; } };
  const seen = () => { note("lims-seen"); last = Date.now(); };
  const lastSeen = () => Math.max(last, noted("lims-seen"));
  let last = Date.now();
  const tooOld = () => Date.now() - lastSeen() > minutes * 60000;
  const locked = () => document.body.classList.contains("locked");
  const renew = (token) => {
    dialog.dataset.token = token;
    document.querySelectorAll("input[name=csrf_token]").forEach((input) => { input.value = token; });
  };
  // Another tab of this browser may have opened the session anew: what this page carries is then stale, the answer brings
  // what counts now, and it is asked once more.
  // A line that hangs is none: who typed the password is told.
  const patient = () => (AbortSignal.timeout ? AbortSignal.timeout(30000) : null);
  const post = (url, body, first = true) => fetch(url, { method: "POST", signal: patient(), body: JSON.stringify(body), headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": dialog.dataset.token } })
    .then((response) => response.json().then((data) => {
      if (data.token) { renew(data.token); }
      return response.status === 400 && data.token && first ? post(url, body, false) : { ok: response.ok, data };
    }));
  let ending = Promise.resolve();
  let since = 0;
  // The session is not ended before the server says so: asked again while the page is locked, and no other tab was unlocked.
  const end = () => {
    const again = () => window.setTimeout(() => { if (locked() && noted("lims-unlocked") < since) { end(); } }, 15000);
    ending = post(dialog.dataset.lock, {}).then((answer) => { if (!answer.ok) { again(); } }).catch(again);
  };
  const lock = () => {
    if (dialog.open) { return; }
    document.body.classList.add("locked");
    since = Date.now();
    dialog.showModal(); password.focus();
    end();
  };
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  // A second Escape closes a dialog whatever is prevented: it opens again while the page is locked.
  dialog.addEventListener("close", () => { if (locked()) { dialog.showModal(); password.focus(); } });
  dialog.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    problem.textContent = "";
    const given = { password: password.value, person: Number(dialog.dataset.person) };
    ending.then(() => post(dialog.dataset.unlock, given)).then((answer) => {
      password.value = "";
      if (!answer.ok) { problem.textContent = answer.data.message; return; }
      document.body.classList.remove("locked");
      dialog.close(); seen(); note("lims-unlocked");
    }).catch(() => { problem.textContent = dialog.dataset.away; });
  });
  document.addEventListener("click", (event) => { if (event.target.closest("[data-lock-now]")) { lock(); } });
  if (minutes > 0) {
    seen();
    const look = () => { if (tooOld()) { lock(); } };
    // A machine that slept ran no timer: what woke it is judged before it counts as somebody being here, and does nothing else.
    ["pointerdown", "keydown"].forEach((name) => document.addEventListener(name, (event) => {
      if (dialog.open) { return; }
      if (!tooOld()) { seen(); return; }
      event.preventDefault(); event.stopImmediatePropagation();
      lock();
    }, true));
    document.addEventListener("scroll", () => { if (!dialog.open && !tooOld()) { seen(); } }, { passive: true });
    document.addEventListener("visibilitychange", () => { if (!document.hidden) { look(); } });
    window.setInterval(look, 15000);
  }
})();
