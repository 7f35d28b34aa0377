// Lines over a sequence: cumulative sums with their decision interval, errors by month.
"use strict";
(function () {
  function draw() {
    document.querySelectorAll("[data-series]").forEach((box) => {
      const spec = JSON.parse(document.getElementById(box.dataset.series).textContent);
      const dark = document.documentElement.getAttribute("data-bs-theme") === "dark";
      const text = dark ? "#dce1e7" : "#25384f"; // the canvas cannot read the theme's light-dark() colours
      const faint = dark ? "rgba(255,255,255,.12)" : "rgba(0,0,0,.08)";
      const colours = dark ? ["#2dd4bf", "#fbbf24", "#a5b4fc", "#f472b6", "#38bdf8", "#a3e635"] : ["#0f766e", "#b45309", "#6366f1", "#be185d", "#0369a1", "#4d7c0f"];
      const series = spec.series.map((item, i) => ({
        name: item.name, type: item.bars ? "bar" : "line", data: item.data, connectNulls: true, symbolSize: 6,
        lineStyle: { width: 2, type: item.dashed ? "dashed" : "solid" },
        color: colours[(spec.paired ? Math.floor(i / 2) : i) % colours.length],
        markLine: i === 0 && spec.limits ? { silent: true, symbol: "none", lineStyle: { color: dark ? "#f87171" : "#dc2626", type: "dotted" }, label: { color: text, formatter: "{c}" }, data: spec.limits.map((y) => ({ yAxis: y })) } : undefined,
      }));
      const chart = window.echarts.getInstanceByDom(box) || window.echarts.init(box);
      chart.setOption({
        animation: false, textStyle: { color: text },
        grid: { left: 48, right: 44, top: 58, bottom: 42 }, legend: { top: 0, type: "scroll", textStyle: { color: text } },
        tooltip: { trigger: "axis", renderMode: "richText" },
        xAxis: { type: "category", data: spec.x, name: spec.labels.x, nameLocation: "middle", nameGap: 26, axisLabel: { color: text } },
        yAxis: { type: "value", max: spec.most, minInterval: spec.whole ? 1 : 0, scale: Boolean(spec.least), name: spec.labels.y, nameTextStyle: { color: text, align: "left" }, axisLabel: { color: text }, splitLine: { lineStyle: { color: faint } } },
        series: series,
      }, true);
      box.dataset.drawn = "yes";
    });
  }
  document.addEventListener("DOMContentLoaded", draw);
  document.addEventListener("lims:theme", draw);
  window.addEventListener("resize", () => document.querySelectorAll("[data-series]").forEach((box) => { const c = window.echarts.getInstanceByDom(box); if (c) { c.resize(); } }));
})();
