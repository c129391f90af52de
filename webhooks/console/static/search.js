// Search by number. What is searched for stands in the address, so that it can be sent to a colleague.

import { say } from "./words.js";

const PATIENCE = 250; // milliseconds without a key until the search begins

export class Search {
  #field;
  #clear;
  #find;
  #timer = null;
  #number = "";

  /** `find` is called with the number to show calls of, or "". */
  constructor(form, find) {
    this.#field = form.number;
    this.#clear = form.querySelector("button");
    this.#find = find;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#begin();
    });
    this.#field.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#begin(), PATIENCE);
      this.#showClear();
    });
    this.#field.addEventListener("keydown", (event) => event.key === "Escape" && this.#escape(event));
    this.#clear.addEventListener("click", () => {
      this.set("");
      this.focus();
    });
  }

  /** Takes the number from the address of the page. */
  start() {
    const number = new URLSearchParams(location.search).get("number") ?? "";
    this.#number = /\d/.test(number) ? number.slice(0, this.#field.maxLength) : "";
    this.#field.value = this.#number;
    this.#showClear();
    return this.#number;
  }

  set(number) {
    this.#field.value = number;
    this.#showClear();
    this.#begin();
  }

  focus() {
    this.#field.focus();
    this.#field.select();
  }

  #begin() {
    clearTimeout(this.#timer);
    const number = this.#field.value.trim();
    const sensible = number === "" || /\d/.test(number);
    this.#field.setCustomValidity(sensible ? "" : say("search.digits"));
    if (number === this.#number || !this.#field.reportValidity()) return;
    this.#number = number;
    history.replaceState(null, "", number ? `/?${new URLSearchParams({ number })}` : "/");
    this.#find(number);
  }

  #escape(event) {
    event.preventDefault();
    if (this.#field.value) this.set("");
    else this.#field.blur();
  }

  #showClear() {
    this.#clear.hidden = this.#field.value === "";
  }
}
