// Strength against age: breaks, curve with its bands, code curves for reference, forecast and result.
"use strict";
(function () {
  function css(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

  function option(spec, dark) {
    const text = dark ? "#dce1e7" : "#25384f"; // the canvas cannot read the theme's light-dark() colours
    const faint = dark ? "rgba(255,255,255,.12)" : "rgba(0,0,0,.08)";
    const main = dark ? "#2dd4bf" : "#0f766e";
    const band = (name, lower, upper, opacity) => [
      { type: "line", data: lower, symbol: "none", lineStyle: { opacity: 0 }, stack: name, silent: true, tooltip: { show: false } },
      { name: spec.labels[name], type: "line", data: upper.map((p, i) => [p[0], p[1] - lower[i][1]]), symbol: "none", lineStyle: { opacity: 0 }, areaStyle: { color: main, opacity: opacity }, itemStyle: { color: main, opacity: opacity * 2 }, stack: name, silent: true, tooltip: { show: false } },
    ];
    let series = [];
    if (spec.band90) { series = series.concat(band("band90", spec.band90.lower, spec.band90.upper, 0.12)); }
    if (spec.band50) { series = series.concat(band("band50", spec.band50.lower, spec.band50.upper, 0.2)); }
    if (spec.curve) { series.push({ name: spec.labels.curve, type: "line", data: spec.curve, symbol: "none", lineStyle: { color: main, width: 2.5 }, itemStyle: { color: main } }); }
    (spec.references || []).forEach((item, i) => series.push({ name: item.name, type: "line", data: item.data, symbol: "none", lineStyle: { type: "dashed", width: 1.2, color: i ? "#a78bfa" : "#94a3b8" }, itemStyle: { color: i ? "#a78bfa" : "#94a3b8" } }));
    series.push({ name: spec.labels.breaks, type: "scatter", data: spec.breaks, symbolSize: 9, itemStyle: { color: dark ? "#fbbf24" : "#b45309" } });
    if (spec.forecast) { series.push({ name: spec.labels.forecast, type: "scatter", symbol: "diamond", symbolSize: 15, data: [spec.forecast], itemStyle: { color: main } }); }
    return {
      animation: false, textStyle: { color: text, fontFamily: css("--tblr-font-sans-serif") },
      grid: { left: 52, right: 18, top: 56, bottom: 44 },
      legend: { top: 0, textStyle: { color: text }, type: "scroll" },
      tooltip: { trigger: "item", renderMode: "richText", formatter: (p) => p.seriesName + "\n" + p.value[0].toFixed(p.value[0] % 1 ? 1 : 0) + " d: " + p.value[1].toFixed(1) + " MPa" },
      xAxis: { type: "log", logBase: 2, min: spec.ages[0], max: spec.ages[1], name: spec.labels.age, nameLocation: "middle", nameGap: 28, axisLabel: { color: text, formatter: (v) => (v >= 1 ? Math.round(v) : v) }, splitLine: { lineStyle: { color: faint } } },
      yAxis: { type: "value", min: 0, name: "MPa", nameTextStyle: { color: text }, axisLabel: { color: text }, splitLine: { lineStyle: { color: faint } } },
      series: series,
    };
  }

  function draw() {
    document.querySelectorAll("[data-chart]").forEach((box) => {
      const spec = JSON.parse(document.getElementById(box.dataset.chart).textContent);
      const dark = document.documentElement.getAttribute("data-bs-theme") === "dark";
      const chart = window.echarts.getInstanceByDom(box) || window.echarts.init(box, null, { renderer: "canvas" });
      const made = option(spec, dark);
      if (spec.grade) {
        made.series.push({ name: spec.labels.grade, type: "line", data: [[spec.ages[0], spec.grade], [spec.ages[1], spec.grade]], symbol: "none", lineStyle: { type: "dotted", color: "#dc2626" }, itemStyle: { color: "#dc2626" } });
      }
      chart.setOption(made, true);
      box.dataset.drawn = "yes";
    });
  }
  document.addEventListener("DOMContentLoaded", draw);
  document.addEventListener("lims:theme", draw);
  window.addEventListener("resize", () => document.querySelectorAll("[data-chart]").forEach((box) => { const c = window.echarts.getInstanceByDom(box); if (c) { c.resize(); } }));
})();
