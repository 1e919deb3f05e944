"use strict";
// Draws each plot of #plots when it comes near the screen, in the colours of the page, and again when those change.
(() => {
  const plots = JSON.parse(document.getElementById("plots").textContent);
  const drawn = new Set();
  const narrow = () => window.innerWidth < 620;

  const coloured = (value, style) => {
    if (Array.isArray(value)) return value.length > 40 ? value : value.map((item) => coloured(item, style));
    if (value && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, coloured(item, style)]));
    const name = typeof value === "string" && /^var\((--[a-z0-9-]+)\)$/.exec(value);
    return name ? style.getPropertyValue(name[1]).trim() : value;
  };

  const axis = { gridcolor: "var(--line)", zerolinecolor: "var(--line)", linecolor: "var(--line)", automargin: true };
  const base = () => ({
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "x unified",
    font: { color: "var(--ink-soft)", size: 12, family: getComputedStyle(document.body).fontFamily },
    margin: { l: narrow() ? 44 : 62, r: 12, t: 10, b: 34 },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, bgcolor: "rgba(0,0,0,0)", font: { size: narrow() ? 10.5 : 12 } },
    hoverlabel: { bgcolor: "var(--card)", bordercolor: "var(--line)", font: { color: "var(--ink)", size: 12.5 } },
    // On a phone a finger scrolls the page instead of zooming the plot.
    dragmode: narrow() ? false : "zoom", showlegend: true,
    modebar: { bgcolor: "rgba(0,0,0,0)", color: "var(--ink-faint)", activecolor: "var(--accent)" },
  });

  const draw = (place) => {
    const spec = plots[place.dataset.plot];
    const layout = Object.assign(base(), spec.layout, { height: spec.height + (narrow() ? 30 : 0) });
    for (const name of ["xaxis", "yaxis", "yaxis2"]) {
      if (layout[name]) layout[name] = Object.assign({}, axis, layout[name]);
      else if (name !== "yaxis2") layout[name] = axis;
      if (narrow() && layout[name] && layout[name].title) layout[name].title = undefined;
    }
    if (layout.xaxis.type === "date") Object.assign(layout.xaxis, { showgrid: false, nticks: narrow() ? 4 : 9 });
    if (layout.yaxis.type === "category" && narrow()) layout.yaxis.tickfont = { size: 9 };
    const style = getComputedStyle(document.documentElement);
    const config = { responsive: true, displaylogo: false, displayModeBar: !narrow(),
      modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]] };
    Plotly.react(place, spec.data.map((trace) => coloured(trace, style)), coloured(layout, style), config);
    drawn.add(place);
  };

  const places = [...document.querySelectorAll("[data-plot]")];
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting && !drawn.has(entry.target)) draw(entry.target);
  }, { rootMargin: "500px" });
  places.forEach((place) => near.observe(place));

  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.forEach(draw));
  window.addEventListener("beforeprint", () => places.filter((place) => !drawn.has(place) && place.offsetParent).forEach(draw));

  for (const tabs of document.querySelectorAll(".tabs")) {
    const buttons = [...tabs.querySelectorAll("button")];
    const choose = (chosen) => {
      for (const button of buttons) {
        const on = button === chosen;
        button.setAttribute("aria-selected", String(on));
        button.tabIndex = on ? 0 : -1;
        document.getElementById(button.getAttribute("aria-controls")).hidden = !on;
      }
    };
    buttons.forEach((button, i) => {
      button.addEventListener("click", () => choose(button));
      button.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        const next = buttons[(i + step + buttons.length) % buttons.length];
        choose(next);
        next.focus();
      });
    });
  }
})();
