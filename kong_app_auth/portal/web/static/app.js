// What pages do better with JavaScript. Every one of them works without.
"use strict";
(() => {
  document.documentElement.classList.add("js");

  // Copying: the button says that it is done, also to screen readers.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const text = document.getElementById(button.dataset.copy).textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const range = document.createRange();
      range.selectNodeContents(document.getElementById(button.dataset.copy));
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      if (!document.execCommand("copy")) return;
    }
    const before = button.innerHTML;
    button.textContent = button.dataset.done;
    button.setAttribute("aria-live", "polite");
    setTimeout(() => { button.innerHTML = before; }, 2000);
  });

  // A form is sent once: the second click of a double click does nothing. Coming back to the page frees it again.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    if (form.method !== "post") return;
    form.dataset.sent = "yes";
    for (const button of form.querySelectorAll("button[type=submit]")) button.setAttribute("aria-disabled", "true");
  });
  addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) {
      delete form.dataset.sent;
      for (const button of form.querySelectorAll("[aria-disabled]")) button.removeAttribute("aria-disabled");
    }
  });

  // A one-time token comes behind the # of a mail's link, which no server sees: it goes into the form's field.
  const field = document.querySelector("[data-from-link]");
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (field && token) {
    field.value = token;
    history.replaceState(null, "", location.pathname + location.search);
  }

  // The first field with an error gets the focus.
  document.querySelector("[aria-invalid=true]")?.focus();

  // A chosen picture is written into the form as a data URL: the form has no files.
  document.addEventListener("change", (event) => {
    const file = event.target.dataset.into && event.target.files[0];
    if (!file) return;
    const reader = new FileReader();
    reader.addEventListener("load", () => { document.getElementById(event.target.dataset.into).value = reader.result; });
    reader.readAsDataURL(file);
  });

  // An open question closes with Escape.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = event.target.closest("details.confirm[open]");
    if (!open) return;
    open.open = false;
    open.querySelector("summary").focus();
  });
})();
