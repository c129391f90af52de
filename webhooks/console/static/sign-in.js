// The sign-in page.

import { request } from "./api.js";
import { offerLanguages } from "./preferences.js";
import { say } from "./words.js";

const form = document.getElementById("sign-in");
const problem = form.querySelector(".problem");
const button = form.querySelector("button");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  problem.hidden = true;
  try {
    await request("POST", "/api/session", { login: form.login.value, password: form.password.value });
    location.assign("/");
  } catch (error) {
    show(error);
  } finally {
    button.disabled = false;
  }
});

offerLanguages();

function show(error) {
  problem.textContent = explain(error);
  problem.hidden = false;
  form.password.select();
}

function explain({ status, retryAfter }) {
  if (status === 401 || status === 422) return say("sign_in.wrong");
  if (status === 429) return say("sign_in.too_many", { minutes: Math.max(1, Math.ceil(retryAfter / 60)) });
  if (status === 0 || status >= 500) return say("sign_in.away");
  return say("sign_in.refused", { status: String(status) });
}
