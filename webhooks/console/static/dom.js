// Filling pages. Text goes in as text, never as HTML: a caller chooses their own name.

/** The elements of `root` that carry data-slot, by that name. */
export function slots(root) {
  return Object.fromEntries([...root.querySelectorAll("[data-slot]")].map((one) => [one.dataset.slot, one]));
}

/** A new copy of the one element in <template id="…">. */
export function copyOf(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

/** Sets text and tooltip only where they changed, so that a selection in unchanged text survives. */
export function setText(element, text, title = null) {
  if (element.textContent !== text) element.textContent = text;
  if (title === null) element.removeAttribute("title");
  else element.title = title;
}

/** Shows text that leads to a page in a new tab; stays plain text where the address is none of the web. */
export function setLink(anchor, text, address) {
  setText(anchor, text);
  const url = webAddress(address);
  if (url === null) {
    for (const name of ["href", "target", "rel"]) anchor.removeAttribute(name);
    return;
  }
  anchor.href = url;
  anchor.target = "_blank";
  anchor.rel = "noopener";
}

/** The address where it is http, https or relative; null for javascript: and everything else. */
export function webAddress(address) {
  if (!address) return null;
  try {
    const url = new URL(address, document.baseURI);
    return ["http:", "https:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}
