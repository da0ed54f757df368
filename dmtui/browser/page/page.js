"use strict";

// The address is taken from the page's own, so that tunnels and TLS proxies need no setting.
const scheme = location.protocol === "https:" ? "wss" : "ws";
document.getElementById("terminal").dataset.sessionWebsocketUrl = `${scheme}://${location.host}/ws`;

const again = document.getElementById("again");
again.addEventListener("click", () => location.reload());

// textual.js marks on the body that its socket is open, and that it is closed. Keys go to the dashboard without a click
// from the first on, and when that has ended, enter begins anew.
let marked = "";
new MutationObserver(() => {
  const marks = document.body.classList;
  const mark = marks.contains("-closed") ? "closed" : marks.contains("-loaded") ? "loaded" : "";
  if (mark === marked) return;
  marked = mark;
  (mark === "closed" ? again : document.querySelector(".xterm-helper-textarea")).focus();
}).observe(document.body, { attributeFilter: ["class"] });
