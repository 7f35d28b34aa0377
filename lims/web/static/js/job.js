// The page of a running job: asks once a second how far it is, and opens itself anew when it is over.
"use strict";

(() => {
  const card = document.querySelector("[data-job]");
  if (!card) { return; }
  const ask = () => {
    fetch(card.dataset.job, { headers: { Accept: "application/json" } }).then((answer) => {
      if (answer.status >= 500) { throw new Error(answer.statusText); } // busy for a moment: says nothing of the job
      return answer.json();
    }).then((job) => {
      if (job.state !== "queued" && job.state !== "running") { window.location.reload(); return; }
      card.querySelector("[data-job-text]").textContent = job.text;
      if (job.all) {
        const bar = card.querySelector("[data-job-bar]");
        bar.max = job.all; bar.value = job.done;
        card.querySelector("[data-job-count]").textContent = job.done + " / " + job.all;
      }
      window.setTimeout(ask, 1000);
    }).catch(() => window.setTimeout(ask, 3000));
  };
  window.setTimeout(ask, 700);
})();
