// Keeps parts of a page up to date while somebody looks at it: asks for the page again and puts its new part in place of the
// old one. A document that the browser has parsed itself runs no scripts and is no markup in a script.
//
// <section id="ID" data-fresh="SECONDS">
"use strict";

function takeOver(part, page) {
  const next = page?.getElementById(part.id);
  if (!next) {
    // Somebody was logged out, or the page is gone.
    part.dataset.stale = "yes";
    return part;
  }
  for (const details of next.querySelectorAll("details[id]")) {
    details.open = document.getElementById(details.id)?.open ?? false;
  }
  const fresh = document.importNode(next, true);
  localise(fresh);
  part.replaceWith(fresh);
  return fresh;
}

function keepFresh(part) {
  const again = () => setTimeout(ask, part.dataset.fresh * 1000);
  function ask() {
    // What somebody is using stays as it is.
    if (document.hidden || part.contains(document.activeElement)) {
      again();
      return;
    }
    const request = new XMLHttpRequest();
    request.open("GET", location.href);
    request.responseType = "document";
    request.onload = () => {
      part = takeOver(part, request.status === 200 ? request.responseXML : null);
    };
    request.onerror = () => (part.dataset.stale = "yes");
    request.onloadend = again;
    request.send();
  }
  again();
}

document.querySelectorAll("[data-fresh][id]").forEach(keepFresh);
