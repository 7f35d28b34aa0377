// Entering breaks with or without a connection. What is typed stays in this browser until the server has it: each entry
// carries a key, so that sending it twice writes it once. The server judges; what shows here while typing is a preview.
"use strict";
(function () {
  const words = JSON.parse(document.getElementById("words").textContent);
  const byId = (id) => document.getElementById(id);
  const LOAD = new RegExp("^\\d+(\\.\\d{1," + words.load_places + "})?$");
  const say = (text, values) => text.replace(/\{(\w+)\}/g, (_all, name) => values[name]);
  const read = (name, fallback) => { try { return JSON.parse(localStorage.getItem(name)) || fallback; } catch (error) { return fallback; } };
  const keep = (name, value) => { try { localStorage.setItem(name, JSON.stringify(value)); return true; } catch (error) { return false; } }; // a private window, or full
  const forget = (name) => { try { localStorage.removeItem(name); } catch (error) { /* private window */ } };
  let known = read("lims-due", { sets: [], presses: [] });
  let queue = read("lims-queue", []);
  let stored = true; // where the browser takes nothing more, what it holds is older than what this page has
  let current = null;
  let correcting = null; // the entry whose set is open again
  let doubted = "";
  let token = "";
  let sending = false;
  let turn = 0; // raised by whatever opens or looks for a set: an answer to an earlier one is late
  let testerOf = null; // whose name stands in "Tested by"
  let pressesShown = "";
  let fetched = 0; // when the list of what is due came
  const saved = new Set(); // sets that the server has: a list that was asked for before does not bring them back
  const LIST_KEPT_MS = 300000; // "due now" and "past its tolerance" are true for no longer
  const PATIENCE_MS = 30000; // a line that hangs for longer is none: what was sent is sent again, under the same key
  const askedAgain = new Set(); // entries that were refused with an old token and are sent with a new one, once

  // Another page of this browser has the same entries (the installed application beside a tab): each change begins with
  // what is kept, or the page that writes last would drop what the other one has.
  const gone = new Set(); // keys that this page took out of what waits
  // Where this page keeps more than the browser takes, another one may have kept something meanwhile.
  function held() {
    if (stored) { return read("lims-queue", queue); }
    const own = new Set(queue.map((item) => item.key));
    return queue.concat(read("lims-queue", []).filter((item) => !gone.has(item.key) && !own.has(item.key)));
  }
  function change(how) {
    const before = held();
    queue = how(before);
    const left = new Set(queue.map((item) => item.key));
    before.forEach((item) => { if (!left.has(item.key)) { gone.add(item.key); } });
    stored = keep("lims-queue", queue);
  }
  function without(key) { change((all) => all.filter((item) => item.key !== key)); }
  function told(key, problem) { change((all) => all.map((item) => (item.key === key ? { ...item, problem: problem } : item))); }
  function whereKept() { return stored ? words.kept : words.unkept; }
  // An entry is saved in the name of who typed it, never of who signs in next on the same machine.
  function mine(entry) { return entry.person_id === undefined || entry.person_id === known.person_id; }
  function next() { return queue.find((entry) => !entry.problem && mine(entry)); }

  function ask(address, more) {
    const signal = AbortSignal.timeout ? AbortSignal.timeout(PATIENCE_MS) : null;
    return fetch(address, { ...more, signal: signal, headers: { Accept: "application/json", ...(more && more.headers) } });
  }

  function fresh() { return crypto.randomUUID ? crypto.randomUUID() : String(Date.now()) + "-" + Math.random().toString(36).slice(2); }
  function folded(text) { return text.normalize("NFKC").trim().toUpperCase().replace(/[\u2010-\u2015\u2212]/g, "-"); }

  function state(key) {
    const waiting = queue.length ? " · " + say(words.waiting, { n: queue.length }) : "";
    byId("state").textContent = words[key] + waiting;
    byId("state").className = "badge entry-state bg-" + (key === "online" ? "green" : "yellow") + "-lt";
    byId("sign-in").hidden = key !== "signin";
  }

  // --- what is due ---------------------------------------------------------------------------------------------------
  function refresh() {
    return ask("/press/due.json").then((response) => {
      if (response.status === 401 || response.redirected) { state("signin"); return false; }
      if (response.status === 403) { state("forbidden"); return false; }
      if (!response.ok) { state("offline"); return false; }
      return response.json().then((data) => {
        token = data.token;
        fetched = Date.now();
        known = { sets: data.sets.filter((set) => !saved.has(set.id)), presses: data.presses, tested_by: data.tested_by, person_id: data.person_id };
        keep("lims-due", known);
        list(); tray(); state("online");
        return true;
      });
    }).catch(() => { state("offline"); return false; });
  }

  function list() {
    const box = byId("due");
    const waiting = new Set(queue.map((entry) => entry.set_id));
    const sets = known.sets.filter((set) => !waiting.has(set.id));
    box.replaceChildren();
    byId("due-count").textContent = String(sets.length);
    sets.slice(0, 60).forEach((set) => {
      const item = document.createElement("button");
      item.type = "button"; item.className = "list-group-item list-group-item-action due-" + set.when;
      const code = document.createElement("span"); code.className = "fw-bold num d-block"; code.textContent = set.code;
      const about = document.createElement("span"); about.className = "text-secondary small"; about.textContent = set.when_text + " · " + say(words.age, { days: set.age_days }) + " · " + set.mix;
      item.append(code, about);
      item.addEventListener("click", () => choose(set));
      box.append(item);
    });
    if (sets.length > 60) {
      const more = document.createElement("div"); more.className = "list-group-item text-secondary small"; more.textContent = say(words.more, { n: sets.length - 60 });
      box.append(more);
    }
    if (!sets.length) { box.textContent = words.none; box.className = "card-body text-secondary"; } else { box.className = "list-group list-group-flush"; }
    presses();
    if (known.person_id !== testerOf) { testerOf = known.person_id; byId("tested-by").value = known.tested_by || ""; }
  }

  // The list is made anew while a set is being typed: what was chosen for it stays.
  function presses() {
    const listed = JSON.stringify(known.presses);
    if (listed === pressesShown) { return; }
    pressesShown = listed;
    const last = byId("press").value || String(read("lims-press", "")) || (known.presses.length === 1 ? String(known.presses[0].id) : "");
    byId("press").replaceChildren(...[{ id: "", code: "", name: words.choose }].concat(known.presses).map((press) => {
      const option = document.createElement("option"); option.value = press.id; option.textContent = (press.code + " " + press.name).trim();
      return option;
    }));
    choosePress(last);
  }
  function choosePress(id) { byId("press").value = Array.from(byId("press").options).some((option) => option.value === String(id)) ? String(id) : ""; }

  // --- one set -------------------------------------------------------------------------------------------------------
  function find(text) {
    let wanted = folded(text);
    const link = wanted.match(/\/SCAN\/([^/?#]+)/); // a scanned label holds the address of its specimen
    if (link) { wanted = link[1]; }
    const exact = known.sets.find((set) => set.code === text.trim()); // own codes may differ in capitals alone
    return exact || known.sets.find((set) => folded(set.code) === wanted || set.short === wanted || set.specimens.some((s) => folded(s.code) === wanted || s.short === wanted));
  }

  function choose(set, entry) {
    turn += 1;
    if (token && !sending && !next() && Date.now() - fetched > LIST_KEPT_MS) { refresh(); }
    current = set; doubted = ""; correcting = entry || null;
    byId("code").value = ""; byId("code").classList.remove("is-invalid");
    byId("done").replaceChildren(); byId("refusal").hidden = true; byId("doubt").hidden = true; byId("verdict").textContent = "";
    byId("set-code").textContent = set.code;
    byId("set-age").textContent = say(words.age, { days: set.age_days });
    byId("set-about").textContent = set.mix + " · " + set.shape;
    const rows = byId("rows");
    rows.replaceChildren();
    const draft = entry ? entry.loads_kn : read("lims-draft-" + set.id, []);
    byId("rate").value = entry ? entry.loading_rate_mpa_s : ""; // the rate of the set before is not this one's
    if (entry) { choosePress(entry.press_id); byId("tested-by").value = entry.tested_by; }
    set.specimens.forEach((specimen, index) => {
      const row = document.createElement("div"); row.className = "load-row";
      const label = document.createElement("label"); label.htmlFor = "load-" + index; label.className = "fw-bold num"; label.textContent = specimen.code;
      const group = document.createElement("div"); group.className = "input-group";
      const input = document.createElement("input");
      input.className = "form-control load-input"; input.id = "load-" + index; input.inputMode = "decimal"; input.value = draft[index] || "";
      const unit = document.createElement("span"); unit.className = "input-group-text unit"; unit.textContent = "kN";
      const output = document.createElement("output"); output.className = "num"; output.htmlFor = "load-" + index;
      input.addEventListener("input", () => { doubted = ""; byId("doubt").hidden = true; preview(); keep("lims-draft-" + set.id, inputs().map((item) => item.value)); });
      input.addEventListener("keydown", (event) => {
        if (event.key !== "Enter") { return; }
        event.preventDefault();
        const all = inputs();
        if (index < all.length - 1) { all[index + 1].focus(); all[index + 1].select(); } else { byId("loads").requestSubmit(); }
      });
      group.append(input, unit); row.append(label, group, output); rows.append(row);
    });
    byId("loads").hidden = false;
    preview(); notes();
    (inputs().find((input) => !input.value) || inputs()[0]).focus();
  }

  // What the certificate will have to say, while another specimen can still be fetched or another press chosen.
  function notes() {
    if (!current) { return; }
    const at = correcting ? Date.parse(correcting.tested_at) : Date.now();
    const press = known.presses.find((item) => String(item.id) === byId("press").value);
    const found = [];
    if (current.due && (at < 1000 * current.due[0] || at > 1000 * current.due[1])) { found.push(current.when_text + " · " + words.age_off); }
    if (press && press.calibrated_until !== undefined && press.calibrated_until < new Date(at).toLocaleDateString("sv")) { found.push(words.calibration); }
    byId("set-notes").replaceChildren(...found.map((text) => { const line = document.createElement("div"); line.textContent = text; return line; }));
    byId("set-notes").hidden = !found.length;
  }
  byId("press").addEventListener("change", notes);

  function inputs() { return Array.from(document.querySelectorAll("#rows input")); }
  function number(text) { const plain = text.trim().normalize("NFKC"); return LOAD.test(plain) && Number(plain) > 0 && Number(plain) <= words.load_most ? Number(plain) : NaN; }
  function strengths() { return inputs().map((input, i) => { const area = Number(current.specimens[i].area_mm2); return area ? 1000 * number(input.value) / area : NaN; }); }

  function preview() {
    const values = strengths();
    document.querySelectorAll("#rows output").forEach((output, i) => { output.textContent = Number.isFinite(values[i]) ? values[i].toFixed(1) + " MPa" : ""; });
    window.showVerdict(byId("verdict"), values, current.rule, current.factor, words);
  }

  // One question, once, for a value that is probably a slip: 28.5 typed as 285.
  function doubt() {
    const loads = inputs().map((input) => number(input.value));
    const notes = [];
    loads.forEach((load, i) => {
      const others = loads.filter((_other, j) => j !== i);
      if (loads.length >= 3 && others.every((other) => load > words.far_times * other || load < other / words.far_times)) { notes.push(say(words.far, { value: inputs()[i].value })); }
    });
    const mean = strengths().reduce((a, b) => a + b, 0) / loads.length * (Number(current.factor) || 1);
    if (current.expected && (mean < current.expected[0] || mean > current.expected[1])) { notes.push(say(words.forecast, { value: mean.toFixed(1), low: current.expected[0].toFixed(1), high: current.expected[1].toFixed(1) })); }
    return notes.join(" ");
  }

  byId("find").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = byId("code").value;
    const set = find(text);
    const asked = turn += 1;
    const refused = (why) => {
      byId("code").classList.add("is-invalid");
      byId("code-problem").textContent = why;
      byId("code").select();
    };
    // The question about the set that is open is answered at its button, not by the label of the next one.
    if (current && !byId("doubt").hidden) { refused(current.code + ": " + byId("doubt").textContent); return; }
    const unknown = () => { if (asked === turn) { refused(text.trim() ? say(words.unknown, { code: text.trim() }) : ""); } };
    // Another specimen of a set that was typed already and waits to be sent: blank fields would look as if it were not.
    const waits = set && queue.find((entry) => entry.set_id === set.id);
    if (waits && !waits.problem && mine(waits)) { refused(waits.code + ": " + waits.loads_kn.join(", ") + " kN. " + whereKept()); return; }
    if (set) { choose(set, waits); return; }
    if (!token || !text.trim()) { unknown(); return; }
    const label = text.match(/\/scan\/([^/?#]+)/i);
    ask("/press/set.json?code=" + encodeURIComponent(label ? label[1] : text.trim()))
      .then((response) => response.json().then((data) => ({ status: response.status, data: data })))
      .then(({ status, data }) => {
        if (status === 404) { unknown(); return; }
        if (status === 401) { token = ""; state("signin"); }
        if (status !== 200) { if (asked === turn) { refused(data.message); } return; } // nobody looked for it
        if (!known.sets.some((other) => other.id === data.sets[0].id)) { known.sets.push(data.sets[0]); }
        if (asked === turn) { choose(data.sets[0]); }
      })
      .catch(unknown);
  });

  byId("loads").addEventListener("submit", (event) => {
    event.preventDefault();
    const wrong = inputs().find((input) => Number.isNaN(number(input.value)));
    inputs().forEach((input) => input.classList.toggle("is-invalid", input === wrong));
    byId("refusal").hidden = !wrong;
    if (wrong) { byId("refusal").textContent = wrong.value.trim() ? say(words.number, { value: wrong.value }) : say(words.missing, { n: inputs().indexOf(wrong) + 1, what: words.accepted }); wrong.focus(); wrong.select(); return; }
    const question = doubt();
    if (question && doubted !== question) { doubted = question; byId("doubt").textContent = question; byId("doubt").hidden = false; byId("save").focus(); return; }
    const press = byId("press").value;
    keep("lims-press", press);
    const entry = {
      key: fresh(), set_id: current.id, code: current.code, person_id: known.person_id, loads_kn: inputs().map((input) => input.value.trim().normalize("NFKC")),
      tested_at: correcting ? correcting.tested_at : new Date().toISOString(),
      press_id: press, tested_by: byId("tested-by").value, loading_rate_mpa_s: byId("rate").value.trim(), confirmed: Boolean(question),
    };
    const before = correcting ? correcting.key : "";
    change((all) => all.filter((item) => item.key !== before).concat([entry]));
    forget("lims-draft-" + current.id);
    leave(); list();
    send();
  });

  function leave() {
    turn += 1;
    if (correcting) { byId("tested-by").value = known.tested_by || ""; }
    current = null; correcting = null; byId("loads").hidden = true; byId("code").focus();
  }
  byId("leave").addEventListener("click", leave);

  // --- sending -------------------------------------------------------------------------------------------------------
  function send() {
    if (sending || !next()) { tray(); return Promise.resolve(); }
    sending = true;
    let entry = null;
    let why = ""; // what the server says of why nothing can be written
    return (token ? Promise.resolve(true) : refresh()).then((ready) => {
      if (!ready) { throw new Error("no connection"); }
      entry = next(); // somebody else may have signed in meanwhile
      if (!entry) { return null; }
      const { problem: _before, ...sent } = entry;
      return ask("/press/entries", { method: "POST", headers: { "Content-Type": "application/json", "X-CSRFToken": token }, body: JSON.stringify(sent) });
    }).then((response) => (response === null ? null : response.json().then((data) => ({ status: response.status, data: data })))).then((answer) => {
      if (answer === null) { sending = false; tray(); return undefined; }
      if (answer.status === 200 || answer.status === 201) {
        without(entry.key);
        saved.add(entry.set_id);
        known.sets = known.sets.filter((set) => set.id !== entry.set_id);
        keep("lims-due", known);
        done(entry, answer.data);
        state("online");
      } else if (answer.status === 409) {
        const differs = (answer.data.problems || []).map((item) => item.message).join("; "); // the same loads, not the same test
        told(entry.key, differs || say(words.taken, { loads: answer.data.theirs || "", mine: entry.loads_kn.join(", ") }));
      } else if (answer.status === 401) {
        token = ""; state("signin"); throw new Error("sign in");
      } else if (answer.status === 503 || answer.status === 429) {
        why = answer.data.message || ""; throw new Error("later");
      } else if ((answer.status === 400 || answer.status === 403) && !askedAgain.has(entry.key)) {
        token = ""; askedAgain.add(entry.key); // of a session that has ended: once more with a new one
      } else { // what the server will not take stops nothing that stands behind it
        told(entry.key, (answer.data.problems || []).map((item) => item.message).join("; ") || answer.data.message || String(answer.status));
      }
      sending = false; tray(); list();
      return send();
    }).catch(() => {
      sending = false;
      if (!byId("state").className.includes("yellow")) { state("offline"); }
      note(why ? why + " " + whereKept() : whereKept()); tray();
    });
  }

  function done(entry, data) {
    const box = document.createElement("div");
    box.className = "alert alert-" + (data.strength_mpa ? "success" : "warning");
    box.dataset.saved = entry.code;
    const head = document.createElement("strong"); head.textContent = words.saved + ": " + entry.code + " · " + (data.strength_mpa ? data.strength_mpa + " MPa · " : "") + words[data.basis];
    box.append(head);
    (data.warnings || []).forEach((text) => { const line = document.createElement("div"); line.textContent = text; box.append(line); });
    // What was typed without a connection is sent in one go: each set's verdict and warnings stay to be read.
    byId("done").querySelectorAll("[data-kept]").forEach((note) => note.remove());
    byId("done").prepend(box);
  }

  function note(text) { const box = document.createElement("div"); box.className = "alert alert-info"; box.dataset.kept = "yes"; box.textContent = text; byId("done").replaceChildren(box); }

  function tray() {
    const box = byId("tray-list");
    byId("tray").hidden = !queue.length;
    box.replaceChildren(...queue.map((entry) => {
      const item = document.createElement("div"); item.className = "list-group-item";
      const head = document.createElement("div"); head.className = "fw-bold num"; head.textContent = entry.code + ": " + entry.loads_kn.join(", ") + " kN";
      item.append(head);
      if (entry.problem || !mine(entry)) {
        const text = document.createElement("div"); text.className = "text-danger small"; text.textContent = entry.problem || say(words.other, { name: entry.tested_by });
        const buttons = document.createElement("div"); buttons.className = "btn-list mt-1";
        const again = button(words.correct, () => { const set = known.sets.find((other) => other.id === entry.set_id); if (set) { choose(set, entry); } });
        again.hidden = !known.sets.some((other) => other.id === entry.set_id);
        const open = document.createElement("a"); open.className = "btn btn-sm"; open.href = "/press/sets/" + entry.set_id; open.textContent = words.open;
        const drop = button(words.drop, () => { // asked once: there is no way back, and gloves are wide
          if (!drop.classList.contains("btn-danger")) { drop.classList.add("btn-danger"); drop.textContent = words.drop_sure; return; }
          without(entry.key); tray(); list(); state("online");
        });
        buttons.append(again, open, drop); item.append(text, buttons);
      }
      return item;
    }));
  }

  function button(text, act) {
    const made = document.createElement("button"); made.type = "button"; made.className = "btn btn-sm"; made.textContent = text;
    made.addEventListener("click", act);
    return made;
  }

  // --- left alone: the server ends the session, so that nobody enters in this person's name; what was typed stays --------
  let last = Date.now();
  const seen = () => { last = Date.now(); try { localStorage.setItem("lims-seen", String(last)); } catch (error) { /* private window */ } };
  const lastSeen = () => { try { return Math.max(last, Number(localStorage.getItem("lims-seen")) || 0); } catch (error) { return last; } };
  function lock() {
    if (!token) { return; } // without a connection there is nothing to end: asked again when there is one
    ask(words.lock_address, { method: "POST", body: "{}", headers: { "Content-Type": "application/json", "X-CSRFToken": token } }).then((response) => {
      if (!response.ok) { if (response.status === 400) { refresh(); } return; } // an old token: asked again with a new one
      token = "";
      ["find", "loads", "due"].forEach((name) => { byId(name).inert = true; });
      byId("locked").hidden = false;
      state("signin");
    }).catch(() => undefined);
  }
  if (words.lock_minutes > 0) {
    seen();
    let left = false; // alone, and there was no connection to end the session by: ended when there is one
    const late = () => left || Date.now() - lastSeen() > words.lock_minutes * 60000;
    const look = () => { if (late()) { lock(); } };
    // A machine that slept is touched before its timer runs. Who types without a connection is here all the same.
    const touched = () => { left = late(); if (left) { lock(); } if (!left || !token) { seen(); } };
    ["pointerdown", "keydown"].forEach((name) => document.addEventListener(name, touched, { passive: true }));
    document.addEventListener("visibilitychange", look);
    window.setInterval(look, 15000);
  }

  // A scanner types wherever the focus is. Enter on "Save the set" would answer the question about the set before.
  document.addEventListener("keydown", (event) => {
    const target = event.target;
    if (event.key.length !== 1 || event.key === " " || event.ctrlKey || event.metaKey || event.altKey || byId("find").inert) { return; }
    if (!target.closest("input, select, textarea")) { byId("code").focus(); }
  }, true);

  byId("send").addEventListener("click", send);
  window.addEventListener("online", () => { refresh().then(send); });
  window.addEventListener("offline", () => state("offline"));
  // Browsers do not always say that they are connected again: ask while something waits.
  window.setInterval(() => { if (next() && !sending) { refresh().then((connected) => { if (connected) { send(); } }); } }, 3000);
  window.addEventListener("storage", (event) => { if (event.key === "lims-queue") { queue = stored ? read("lims-queue", []) : held(); tray(); list(); } });
  list(); tray();
  refresh().then((connected) => {
    if (connected) { send(); }
    // Without a connection this page stands in for the address that a phone read off a label.
    const label = location.pathname.match(/\/scan\/([^/?#]+)/i);
    const asked = new URLSearchParams(location.search).get("code") || (label ? label[1] : "");
    if (asked && turn === 0 && !byId("code").value) { byId("code").value = asked; byId("find").requestSubmit(); }
  });
  if ("serviceWorker" in navigator && window.isSecureContext) { navigator.serviceWorker.register("/sw.js").catch(() => undefined); }
})();
