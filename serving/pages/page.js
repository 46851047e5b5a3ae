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
