// Shows new entries and the balance while a page is open. All tabs of a browser share one stream: the tab that holds the lock
// reads it and tells the others, because a browser opens only six connections to a server.
"use strict";

// A tab that nobody has looked at for so long gives up the stream.
const HIDDEN_MS_MAX = 5 * 60 * 1000;

const live = document.querySelector("[data-live]");
const minute = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "long", timeStyle: "short" });
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
  const rows = document.querySelector("[data-live-entries]");
  const template = document.querySelector("template[data-live-entry]");
  if (!rows || !template) {
    return;
  }
  const row = template.content.cloneNode(true);
  const time = row.querySelector("time");
  time.dateTime = news.at;
  time.textContent = minute.format(new Date(news.at));
  row.querySelector("[data-live-what]").textContent = news.what;
  row.querySelector("[data-live-amount]").textContent = news.amount;
  rows.prepend(row);
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
