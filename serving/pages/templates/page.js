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
    const status = job.querySelector("[data-status]");
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
        if (now.rows) status.textContent = `${now.rows.toLocaleString("en-GB")} tenders scored${pace(now)}`;
      } catch { /* The service may be starting again: the job goes on where it was. */ }
      setTimeout(look, 1000);
    };
    setTimeout(look, 1000);
  }
  const form = document.querySelector("form[data-keep]");
  if (form) {
    // What is typed is kept in this browser, and comes back after a closed tab; an address that holds a draft comes first.
    const key = form.dataset.keep;
    const fields = () => [...form.elements].filter((field) => field.name && !["file", "hidden", "submit"].includes(field.type));
    const keep = () => {
      const typed = Object.fromEntries(fields().filter((field) => field.value).map((field) => [field.name, field.value]));
      try { localStorage.setItem(key, JSON.stringify(typed)); } catch { /* A browser may keep nothing. */ }
    };
    form.addEventListener("input", keep);
    document.querySelector("[data-forget]")?.addEventListener("click", () => localStorage.removeItem(key));
    const filled = fields().some((field) => field.value);
    if (filled) keep();
    else if (!location.search) {
      let typed = {};
      try { typed = JSON.parse(localStorage.getItem(key) ?? "{}"); } catch { /* Nothing is kept. */ }
      const kept = fields().filter((field) => typeof typed[field.name] === "string");
      kept.forEach((field) => { field.value = typed[field.name]; field.closest("details")?.setAttribute("open", ""); });
      if (kept.length) {
        const note = document.createElement("p");
        note.className = "inset";
        note.setAttribute("role", "status");
        note.textContent = "We brought back what you typed before. To begin with an empty page, choose Start again.";
        document.querySelector("#lead").after(note);
      }
    }
    const words = form.querySelector("[list]");
    const list = document.querySelector("#codes");
    let searched = "";
    const search = async () => {
      const text = words.value.trim();
      if (text.length < 3 || text === searched || /^\d{8} /.test(text)) return;
      searched = text;
      try {
        const matches = await (await fetch(`/cpv?q=${encodeURIComponent(text)}`)).json();
        if (searched !== text) return;
        list.replaceChildren(...matches.map((name) => { const option = document.createElement("option"); option.value = name; return option; }));
      } catch { /* The list that the page came with stays. */ }
    };
    words?.addEventListener("input", () => setTimeout(search, 250));
  }
  // The browser itself goes to what has autofocus.
  document.querySelector("#summary:not([autofocus])")?.focus();
  const groups = document.querySelectorAll("#tender > section > details:not(#paste, #from-file)");
  if (groups.length) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    const label = () => [...groups].every((group) => group.open) ? "Close all groups" : "Open all groups";
    button.textContent = label();
    button.addEventListener("click", () => {
      const open = ![...groups].every((group) => group.open);
      groups.forEach((group) => { group.open = open; });
      button.textContent = label();
    });
    groups[0].before(button);
  }
})();
