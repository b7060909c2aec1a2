// Returns what people read on the page and should not: words for insiders, technical notations, what a fault of a program
// writes. `arguments[0]`: whether the scripts of the page run.
"use strict";

// What is folded away is for support, what is set as code is to be copied, and what is not translated is a fingerprint, whose
// words mean nothing.
const SKIPPED = "details > :not(summary), code, textarea, template, script, style, noscript, [translate=no]";
// Numbers there are counts and amounts.
const FIGURES = "table, dl, svg, bdi, time, .amount, .large";

// Each is looked for in every text of the page.
const NEVER = [
  /\S*token\S*/i,
  /\boc[ask]_\S*/,
  /\S*blind(?:e[dns]|ing|s|et)?\b/i,
  /\S*denominat\S*/i,
  /\bStückelung\S*/i,
  /\bmint keys?\b/i,
  /\b(?:CDDC?|MKC)s?\b/i,
  /\bredeem\S*/i,
  /\brenew\b/i,
  /\bdouble.spen\S*/i,
  /\btransaction references?\b/i,
  /\bidempoten\S*/i,
  /\bJSON\b/i,
  /[{}]/,
  /\bnull\b/,
  /\bundefined\b/,
  /\bNaN\b/,
  /\[object \S*/,
  /\b(?:HTTP|status|error|Fehler)\W{0,2}[1-5]\d\d\b/i,
  // Eight or more hexadecimal digits, with some above nine, or a number that is too long for a person.
  /\b(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{8,}\b/i,
  /\b\d{16,}\b/,
  // A time as programs write it.
  /\b\d{4}-\d\d-\d\dT\d\d:\d\d\S*/,
];
// The status of an answer, in a text that has no figures.
const STATUS = /(?<![\d.,:])(?:40\d|41\d|42\d|431|451|50\d)(?![\d.,:]\d|\d)/;
const ZONE = /\bUTC\b/;

const texts = [{ text: document.title, isFigure: false }];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const around = walker.currentNode.parentElement;
  const text = walker.currentNode.data.trim();
  if (text && !around.closest(SKIPPED) && around.checkVisibility()) {
    texts.push({ text, isFigure: around.closest(FIGURES) !== null });
  }
}
// What is read aloud, or stands in an empty field.
for (const name of ["aria-label", "alt", "placeholder", "data-title", "data-copied"]) {
  for (const element of document.querySelectorAll(`[${name}]`)) {
    texts.push({ text: element.getAttribute(name), isFigure: element.closest(FIGURES) !== null });
  }
}

const isLogIn = location.pathname === "/console/login";
const found = [];
for (const { text, isFigure } of texts) {
  const never = NEVER.filter((pattern) => !(isLogIn && pattern.source.includes("oc[ask]_")));
  if (!isFigure) {
    never.push(STATUS);
  }
  if (arguments[0]) {
    never.push(ZONE);
  }
  for (const pattern of never) {
    const match = pattern.exec(text);
    if (match) {
      found.push(`${match[0]}: ${text}`);
    }
  }
}
return found;
