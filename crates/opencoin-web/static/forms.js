// Makes pages more comfortable: times in the visitor's zone, buttons that copy, forms that are sent once. Every page works
// without it.
"use strict";

// The texts are in British English, and so are the times that the server writes.
const language = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
const styles = {
  day: new Intl.DateTimeFormat(language, { dateStyle: "long" }),
  clock: new Intl.DateTimeFormat(language, { timeStyle: "short" }),
  minute: new Intl.DateTimeFormat(language, { dateStyle: "long", timeStyle: "short" }),
};

function localise(root) {
  for (const time of root.querySelectorAll("time[data-time]")) {
    const at = new Date(time.dateTime);
    const style = styles[time.dataset.time];
    if (style && !Number.isNaN(at.getTime())) {
      time.title = time.textContent;
      time.textContent = style.format(at);
    }
  }
}

// <button type="button" hidden data-copy="ID" data-copied="TEXT">: copies the text of an element.
function offerCopies() {
  for (const button of document.querySelectorAll("button[data-copy]")) {
    const source = document.getElementById(button.dataset.copy);
    if (!source || !navigator.clipboard) {
      continue;
    }
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText((source.value ?? source.textContent).trim());
      const before = button.textContent;
      button.textContent = button.dataset.copied;
      setTimeout(() => (button.textContent = before), 2000);
    });
  }
}

// <button type="button" hidden data-print>: prints the page.
function offerPrinting() {
  for (const button of document.querySelectorAll("button[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }
}

// A form is sent once, however often its button is pressed. Going back to the page makes it usable again.
function sendOnce() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.dataset.sent) {
      event.preventDefault();
      return;
    }
    if (form.method !== "post") {
      return;
    }
    form.dataset.sent = "yes";
    for (const button of form.querySelectorAll("button")) {
      button.setAttribute("aria-busy", "true");
    }
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) {
      delete form.dataset.sent;
      form.querySelectorAll("[aria-busy]").forEach((button) => button.removeAttribute("aria-busy"));
    }
  });
}

// <button type="submit" data-wait="SECONDS">: can be pressed after that time, and says how long it takes.
function waitForButtons() {
  for (const button of document.querySelectorAll("button[data-wait]")) {
    const label = button.textContent;
    const end = Date.now() + button.dataset.wait * 1000;
    const count = () => {
      const left = Math.ceil((end - Date.now()) / 1000);
      button.disabled = left > 0;
      button.textContent = left > 0 ? `${label} (${left})` : label;
      if (left > 0) {
        setTimeout(count, 1000);
      }
    };
    count();
  }
}

localise(document);
offerCopies();
offerPrinting();
sendOnce();
waitForButtons();
