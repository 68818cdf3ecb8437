"use strict";
(() => {
  const main = document.querySelector("main");
  const banner = document.getElementById("offline");
  const news = document.getElementById("news");
  const shown = {};
  const here = location.pathname;
  const same = (a, b) => a.toDateString() === b.toDateString();
  const clock = { hour: "numeric", minute: "2-digit" };
  const day = { weekday: "short", day: "numeric", month: "short" };
  let source, ended = false, offline, said = "";

  // Times as the viewer's clock and language have them; the server only knows UTC.
  const inWords = (at, how) => {
    const today = same(at, new Date());
    const form = how === "clock" || today ? clock : { ...day, ...clock };
    return new Intl.DateTimeFormat(undefined, form).format(at);
  };
  const localise = (root) => {
    for (const each of root.querySelectorAll("time"))
      each.textContent = inWords(new Date(each.dateTime), each.dataset.how);
    for (const each of root.querySelectorAll("[data-until]"))
      each.textContent = until(new Date(each.dataset.until));
  };
  const until = (at) => {
    const minutes = Math.round((at - Date.now()) / 60000);
    if (minutes < 1) return "any moment now";
    const [n, unit] = minutes < 90 ? [minutes, "minute"] : [Math.round(minutes / 60), "hour"];
    return new Intl.RelativeTimeFormat("en", { style: "short" }).format(n, unit);
  };
  setInterval(() => localise(document), 15000);

  // The van glides from where it was: both places are metres from the same door.
  const glide = (old, part) => {
    const van = part.querySelector(".van");
    if (!old || !van) return;
    const at = (v) => `translate(${v.dataset.x}px, ${v.dataset.y}px)`;
    van.style.transition = "none";
    van.style.transform = at(old);
    van.getBoundingClientRect();
    van.style.transition = "";
    van.style.transform = at(van);
  };
  const put = (id, html) => {
    const part = document.getElementById(id);
    if (shown[id] === html) return;
    shown[id] = html;
    const old = part.querySelector(".van");
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    localise(fresh.content);
    part.replaceChildren(fresh.content);
    glide(old, part);
  };
  const show = (told) => {
    // There is another parcel, or none any more: the page is another one.
    if (document.querySelectorAll(".parcel").length !== told.parcels) return location.reload();
    for (const [id, html] of Object.entries(told.parts)) put(id, html);
    document.title = told.title;
    main.dataset.mood = told.mood;
    const hours = told.etas.map((at) => `Arrives at ${inWords(new Date(at), "clock")}.`);
    const words = [told.news, ...hours].join(" ");
    if (said && words !== said) news.textContent = words;
    said = words;
  };

  const away = () => {
    offline ??= setTimeout(() => {
      const since = inWords(new Date(), "clock");
      banner.textContent = `No connection. This is how things stood at ${since}; trying again …`;
      banner.hidden = false;
    }, 3000);
  };
  const back = () => {
    clearTimeout(offline);
    offline = undefined;
    banner.hidden = true;
  };
  // A stream that was refused is not tried again by the browser: it may be that the link is over.
  const refused = async () => {
    try {
      const answer = await fetch(here, { cache: "no-store" });
      if (answer.status === 404 || answer.status === 410) return location.reload();
    } catch { /* still away */ }
    setTimeout(listen, 5000);
  };
  const listen = () => {
    source = new EventSource(`${here}/events`);
    source.addEventListener("open", back);
    source.addEventListener("progress", (event) => show(JSON.parse(event.data)));
    source.addEventListener("end", () => { ended = true; source.close(); });
    source.addEventListener("error", () => {
      if (ended) return;
      away();
      if (source.readyState === EventSource.CLOSED) refused();
    });
  };
  addEventListener("offline", away);
  addEventListener("online", () => source && source.readyState === EventSource.OPEN && back());
  addEventListener("pagehide", () => source && source.close());
  addEventListener("pageshow", (event) => event.persisted && !ended && listen());

  localise(document);
  if (main.dataset.live) listen();
})();
