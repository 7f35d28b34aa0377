// Before the first paint, so that a dark room is not lit by a white page.
(function () {
  var chosen = null;
  try { chosen = localStorage.getItem("lims-theme"); } catch (error) { chosen = null; }
  var dark = chosen ? chosen === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.setAttribute("data-bs-theme", dark ? "dark" : "light");
})();
