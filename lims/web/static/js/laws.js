// Strength over the water/binder ratio: two laws with their bands, the batches, the strength that is asked for.
"use strict";
(function () {
  function option(spec, dark) {
    const text = dark ? "#dce1e7" : "#25384f"; // the canvas cannot read the theme's light-dark() colours
    const faint = dark ? "rgba(255,255,255,.12)" : "rgba(0,0,0,.08)";
    const colours = dark ? ["#2dd4bf", "#fbbf24"] : ["#0f766e", "#b45309"];
    const hidden = { symbol: "none", lineStyle: { opacity: 0 }, silent: true, tooltip: { show: false } };
    const series = [];
    spec.laws.forEach((law, i) => {
      const colour = colours[i % colours.length];
      series.push(Object.assign({ type: "line", data: law.low, stack: "band" + i }, hidden));
      series.push(Object.assign({ name: law.band, type: "line", data: law.high.map((p, k) => [p[0], p[1] - law.low[k][1]]), stack: "band" + i, areaStyle: { color: colour, opacity: 0.14 }, itemStyle: { color: colour, opacity: 0.3 } }, hidden));
      series.push({ name: law.name, type: "line", data: law.median, symbol: "none", lineStyle: { color: colour, width: 2.5, type: i ? "dashed" : "solid" }, itemStyle: { color: colour } });
      series.push({ name: law.points_name, type: "scatter", data: law.points, symbol: i ? "triangle" : "circle", symbolSize: 8, itemStyle: { color: colour, opacity: 0.85 } });
    });
    series.push({ name: spec.labels.target, type: "line", data: [[spec.range[0], spec.target], [spec.range[1], spec.target]], symbol: "none", lineStyle: { type: "dotted", color: "#dc2626" }, itemStyle: { color: "#dc2626" } });
    return {
      animation: false, textStyle: { color: text },
      grid: { left: 48, right: 18, top: 60, bottom: 44 },
      legend: { top: 0, type: "scroll", textStyle: { color: text }, data: spec.laws.flatMap((law) => [law.name, law.points_name]).concat([spec.labels.target]) },
      tooltip: { trigger: "item", renderMode: "richText", formatter: (p) => (p.value[2] ? p.value[2] + "\n" : p.seriesName + "\n") + spec.labels.x + " " + p.value[0].toFixed(3) + ": " + p.value[1].toFixed(1) + " MPa" },
      xAxis: { type: "value", min: spec.range[0], max: spec.range[1], name: spec.labels.x, nameLocation: "middle", nameGap: 26, axisLabel: { color: text, formatter: (v) => v.toFixed(2) }, splitLine: { lineStyle: { color: faint } } },
      yAxis: { type: "value", scale: true, name: "MPa", nameTextStyle: { color: text, align: "left" }, axisLabel: { color: text }, splitLine: { lineStyle: { color: faint } } },
      series: series,
    };
  }

  function draw() {
    document.querySelectorAll("[data-laws]").forEach((box) => {
      const spec = JSON.parse(document.getElementById(box.dataset.laws).textContent);
      const dark = document.documentElement.getAttribute("data-bs-theme") === "dark";
      const chart = window.echarts.getInstanceByDom(box) || window.echarts.init(box);
      chart.setOption(option(spec, dark), true);
      box.dataset.drawn = "yes";
    });
  }
  document.addEventListener("DOMContentLoaded", draw);
  document.addEventListener("lims:theme", draw);
  window.addEventListener("resize", () => document.querySelectorAll("[data-laws]").forEach((box) => { const c = window.echarts.getInstanceByDom(box); if (c) { c.resize(); } }));
})();
