// Groups entries by the days of the visitor's time zone, and shows new ones and the balance while a page is open. All tabs of a browser share one stream: the tab that holds the lock
// reads it and tells the others, because a browser opens only six connections to a server.
"use strict";

// A tab that nobody has looked at for so long gives up the stream.
const HIDDEN_MS_MAX = 5 * 60 * 1000;

const live = document.querySelector("[data-live]");
let newest = Number(live?.dataset.liveAfter ?? 0);
let waits = false;
let giveUp = () => {};

function show(news) {
  if (news.id <= newest) {
    return;
  }
  newest = news.id;
  const balance = document.querySelector("[data-live-balance]");
  if (balance && news.balance) {
    balance.textContent = news.balance;
  }
  const table = document.querySelector("[data-by-day]");
  if (!table) {
    return;
  }
  const row = made("entry", news.at);
  row.querySelector("[data-live-what]").textContent = news.what;
  row.querySelector("[data-live-amount]").textContent = news.amount;
  groupByDay(table, [row, ...entriesOf(table)]);
  document.querySelector("[data-live-table]").hidden = false;
  document.querySelector("[data-live-none]")?.remove();
}

// The content of <template data-live-KIND> with a time.
function made(kind, at) {
  const element = document.querySelector(`template[data-live-${kind}]`).content.firstElementChild.cloneNode(true);
  element.querySelector("time").dateTime = at;
  localise(element);
  return element;
}

function entriesOf(table) {
  return [...table.tBodies].flatMap((day) => [...day.rows].slice(1));
}

function groupByDay(table, entries) {
  const days = [];
  let last;
  for (const entry of entries) {
    const at = entry.querySelector("time").dateTime;
    const day = styles.day.format(new Date(at));
    if (day !== last) {
      days.push(made("day", at));
      last = day;
    }
    days.at(-1).append(entry);
  }
  [...table.tBodies].forEach((day) => day.remove());
  table.append(...days);
}

function read(channel) {
  return new Promise((end) => {
    const source = new EventSource(`${live.dataset.live}?after=${newest}`);
    giveUp = () => {
      source.close();
      end();
    };
    source.onopen = () => (live.hidden = false);
    source.onmessage = (event) => {
      const news = JSON.parse(event.data);
      show(news);
      channel.postMessage(news);
    };
    source.onerror = () => {
      live.hidden = true;
      // The browser tries again by itself, unless the session has ended.
      if (source.readyState === EventSource.CLOSED) {
        giveUp();
      }
    };
  });
}

async function join(name, channel) {
  if (waits) {
    return;
  }
  waits = true;
  await navigator.locks.request(name, () => (document.hidden ? undefined : read(channel)));
  waits = false;
  live.hidden = true;
}

document.querySelectorAll("[data-by-day]").forEach((table) => groupByDay(table, entriesOf(table)));

if (live && navigator.locks && window.BroadcastChannel) {
  const name = `opencoin live ${live.dataset.liveName}`;
  const channel = new BroadcastChannel(name);
  channel.onmessage = (event) => {
    live.hidden = false;
    show(event.data);
  };
  let timer;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden) {
      timer = setTimeout(() => giveUp(), HIDDEN_MS_MAX);
    } else {
      join(name, channel);
    }
  });
  join(name, channel);
}
