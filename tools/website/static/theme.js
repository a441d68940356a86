// The theme: the reader's choice on this page, else that of the system.
(() => {
  const KEY = "segedu-theme";
  const SYSTEM = "(prefers-color-scheme: dark)";
  const system = window.matchMedia(SYSTEM);
  const dark = document.getElementById("dark");
  let chosen = remembered();

  // A browser may forbid a page from a folder to remember anything.
  function remembered() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  }

  function remember() {
    try {
      localStorage.setItem(KEY, chosen);
    } catch {
      // then the choice holds for this page
    }
  }

  const isDark = () => (chosen ? chosen === "dark" : system.matches);

  function apply() {
    dark.media = chosen ? { dark: "all", light: "not all" }[chosen] : SYSTEM;
    const button = document.getElementById("theme");
    if (button) {
      button.hidden = false;
      button.textContent = isDark() ? "Light theme" : "Dark theme";
    }
    document.dispatchEvent(new Event("segedu:theme"));
  }

  function swap() {
    chosen = isDark() ? "light" : "dark";
    remember();
    apply();
  }

  apply();
  system.addEventListener("change", apply);
  document.addEventListener("DOMContentLoaded", () => {
    document.getElementById("theme").addEventListener("click", swap);
    apply();
  });
})();
