// Better with it, complete without it: files dropped anywhere on the page, and all groups of the form at once.
"use strict";
(() => {
  const upload = document.querySelector("#upload, #many");
  if (upload) {
    const stop = (event) => { event.preventDefault(); };
    document.addEventListener("dragover", (event) => { stop(event); document.body.classList.add("dropping"); });
    document.addEventListener("dragleave", () => { document.body.classList.remove("dropping"); });
    document.addEventListener("drop", (event) => {
      stop(event);
      document.body.classList.remove("dropping");
      if (event.dataTransfer.files.length !== 1) return;
      upload.files = event.dataTransfer.files;
      upload.form.requestSubmit();
    });
  }
  const job = document.querySelector("[data-job]");
  if (job) {
    const bar = job.querySelector("progress");
    const said = job.querySelector("[data-said]");
    let first;
    const pace = (now) => {
      const seconds = first ? (performance.now() - first.at) / 1000 : 0;
      if (!first) first = { at: performance.now(), ...now };
      const [rows, bytes] = [now.rows - first.rows, now.bytes - first.bytes];
      if (seconds < 2 || rows < 1 || bytes < 1) return "";
      const left = Math.ceil((now.size - now.bytes) * seconds / bytes);
      const time = left < 100 ? `${left} seconds` : left < 6000 ? `${Math.round(left / 60)} minutes` : `${Math.round(left / 3600)} hours`;
      return `, ${Math.round(rows / seconds).toLocaleString("en-GB")} a second, about ${time} left`;
    };
    const look = async () => {
      try {
        const now = await (await fetch(job.dataset.job)).json();
        if (now.state !== job.dataset.state) { location.reload(); return; }
        if (now.bytes) { bar.max = now.size; bar.value = now.bytes; }
        if (now.rows) said.textContent = `${now.rows.toLocaleString("en-GB")} tenders scored${pace(now)}`;
      } catch { /* The service may be starting again: the job goes on where it was. */ }
      setTimeout(look, 1000);
    };
    setTimeout(look, 1000);
  }
  const groups = document.querySelectorAll("#tender > details");
  if (groups.length) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    const said = () => [...groups].every((group) => group.open) ? "Close all groups" : "Open all groups";
    button.textContent = said();
    button.addEventListener("click", () => {
      const open = ![...groups].every((group) => group.open);
      groups.forEach((group) => { group.open = open; });
      button.textContent = said();
    });
    groups[0].before(button);
  }
})();
