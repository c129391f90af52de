// Language and theme: kept in cookies, since the server draws each page in them.

const A_YEAR = 365 * 24 * 3600; // seconds

/** Makes the buttons with data-language switch the language. */
export function offerLanguages() {
  for (const button of document.querySelectorAll("[data-language]")) {
    button.addEventListener("click", () => {
      keep("whocalls_language", button.dataset.language);
      location.reload();
    });
  }
}

/** Makes the radio buttons of a group switch the theme. */
export function offerThemes(group) {
  group.addEventListener("change", (event) => {
    const theme = event.target.value;
    keep("whocalls_theme", theme);
    document.documentElement.dataset.theme = theme;
    document.querySelector("meta[name=color-scheme]").content = theme === "system" ? "light dark" : theme;
  });
}

function keep(name, value) {
  document.cookie = `${name}=${value}; path=/; max-age=${A_YEAR}; samesite=lax`;
}
