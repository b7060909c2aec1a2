// Keeps parts of a page up to date while somebody looks at it: asks for the page again and puts its new part in place of the
// old one. A document that the browser has parsed itself runs no scripts and is no markup in a script.
//
// <section id="ID" data-fresh="SECONDS">, with an element [data-stale] [hidden] in it, which is shown when that fails. The part
// has [data-old] then.
"use strict";

const ANSWER_MS_MAX = 10 * 1000;

// What somebody is using must not be taken from under their hands.
function isInUse(part) {
  const selection = document.getSelection();
  const isSelected = selection && !selection.isCollapsed && selection.containsNode(part, true);
  const focus = document.activeElement;
  const isFocused = part.contains(focus) && !focus.matches("details[id] > summary");
  return isSelected || isFocused || part.matches(":active");
}

function takeOver(part, next) {
  for (const details of next.querySelectorAll("details[id]")) {
    details.open = document.getElementById(details.id)?.open ?? false;
  }
  const focused = part.contains(document.activeElement) && document.activeElement.parentElement.id;
  const fresh = document.importNode(next, true);
  localise(fresh);
  part.replaceWith(fresh);
  if (focused) {
    document.getElementById(focused)?.querySelector("summary")?.focus({ preventScroll: true });
  }
  return fresh;
}

function keepFresh(part) {
  const again = () => setTimeout(ask, part.dataset.fresh * 1000);
  const fail = () => {
    part.querySelectorAll("[data-stale]").forEach((note) => (note.hidden = false));
    part.dataset.old = "yes";
  };
  function ask() {
    if (document.hidden || isInUse(part)) {
      again();
      return;
    }
    const request = new XMLHttpRequest();
    request.open("GET", location.href);
    request.responseType = "document";
    request.timeout = ANSWER_MS_MAX;
    // Nobody may be there, so this keeps no session open.
    request.setRequestHeader("Opencoin-Refresh", "1");
    request.onload = () => {
      const next = request.status === 200 && request.responseXML?.getElementById(part.id);
      if (!next) {
        fail();
      } else if (!isInUse(part)) {
        part = takeOver(part, next);
      }
    };
    request.onerror = fail;
    request.ontimeout = fail;
    request.onloadend = again;
    request.send();
  }
  again();
}

document.querySelectorAll("[data-fresh][id]").forEach(keepFresh);
