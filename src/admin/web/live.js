// Keeps the report of an order current. The server says when it has changed; what it then looks like is the server's HTML.
"use strict";
const live = document.getElementById("live");
const report = document.getElementById("report");
const order = live.dataset.order;
let asking = false;
let again = false;

function say(words) {
  live.textContent = words;
  live.hidden = words === "";
}

async function show() {
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  try {
    const answer = await fetch(`/orders/${order}/report`, { credentials: "same-origin" });
    if (answer.ok) {
      report.innerHTML = await answer.text();
      say("");
    } else {
      say(answer.status === 401 ? "Your session is over; this page no longer updates." : "The report cannot be shown right now.");
    }
  } catch {
    say("The gateway does not answer; trying again.");
  } finally {
    asking = false;
    if (again) {
      again = false;
      show();
    }
  }
}

const events = new EventSource(`/api/v1/orders/${order}/events`);
events.addEventListener("coverage", show);
events.addEventListener("error", () => say("The gateway does not answer; trying again."));
events.addEventListener("open", () => say(""));
