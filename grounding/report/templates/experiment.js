"use strict";
// Draws what an experiment found from the data in the page. Texts are set as text, never as markup.
{
  const data = JSON.parse(document.getElementById("experiment").textContent);
  const { axes, figures, cells, scale } = data;
  const axisAt = new Map(axes.map((axis, place) => [axis.name, place]));
  const find = (id) => document.getElementById(id);
  const HUES = [
    "light-dark(#0072b2,#56b4e9)", "light-dark(#c65102,#ffa04d)", "light-dark(#00664a,#3fd0a4)",
    "light-dark(#8c3d6a,#e8a4cb)", "light-dark(#805800,#f0b93a)", "light-dark(#767f88,#98a1ab)",
  ];
  const DASHES = ["", "7 4", "2 3", "9 3 2 3"]; // lines beyond the hues are told apart by their dashes
  const style = (number) => ({ hue: HUES[number % HUES.length], dash: DASHES[Math.floor(number / HUES.length) % DASHES.length] });

  const element = (name, attributes = {}, ...inside) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...inside.filter((one) => one !== null));
    return made;
  };
  const shape = (name, attributes = {}, text = null) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== null) made.textContent = text;
    return made;
  };
  const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
  const tone = (verdict) =>
    verdict === "GROUNDED" ? "good"
      : ["INCONCLUSIVE", "SKIPPED", "not decided yet"].includes(verdict) ? "doubt" : "bad";
  // Of lines: each way to fail has its own hue, as in the regions of the plane.
  const KINDS = {
    GROUNDED: HUES[2], SHORTCUT: HUES[4], "NOT REASONING": HUES[3], UNGROUNDED: "light-dark(#a03c00,#ff9a5c)",
    LEAKY: "light-dark(#a03c00,#ff9a5c)", ERROR: "light-dark(#a03c00,#ff9a5c)",
  };
  const hueOf = (verdict) => KINDS[verdict] ?? HUES[5];
  const badge = (verdict, more = "") => element("span", { class: `verdict ${tone(verdict)}` }, verdict + more);
  const decimals = (value) => (value / scale).toFixed(3);
  const span = (found) => (found.low === null ? "" : `${decimals(found.low)} to ${decimals(found.high)}`);

  // Means and intervals

  const estimate = (values) => {
    const count = values.length;
    const mean = values.reduce((sum, value) => sum + value, 0) / count;
    if (count < 2) return { mean, low: null, high: null, seeds: count };
    const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    const reach = data.quantiles[count] * Math.sqrt(squares / (count - 1) / count);
    return { mean, low: Math.max(mean - reach, 0), high: Math.min(mean + reach, scale), seeds: count };
  };
  const valuesOf = (cell, name) => {
    const found = new Map();
    cell.values[name]?.forEach((value, place) => {
      if (value !== null) found.set(cell.seeds[place], value);
    });
    return found;
  };
  const average = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  // Over the seeds that all cells have; where they share none, the mean of their means.
  const pooled = (several, name) => {
    const maps = several.map((cell) => valuesOf(cell, name)).filter((found) => found.size);
    if (!maps.length) return null;
    const shared = [...maps[0].keys()].filter((seed) => maps.every((found) => found.has(seed)));
    const found = shared.length
      ? estimate(shared.map((seed) => average(maps.map((values) => values.get(seed)))))
      : { mean: average(maps.map((values) => average([...values.values()]))), low: null, high: null, seeds: 0 };
    return { ...found, cells: maps.length };
  };

  // Which cells are shown

  const wanted = axes.map(() => null); // the value of each axis that is asked for; null: any
  const ranges = new Map(); // what is brushed on the parallel plot: [low, high], 0 to 1, by its column
  const passes = (cell) => wanted.every((value, place) => value === null || cell.at[place] === value);
  let shown = cells;

  const options = (select, names, chosen) => {
    select.replaceChildren(...names.map(([value, text]) => element("option", { value }, short(text, 40))));
    select.value = chosen;
  };
  const axisNames = axes.map((axis) => [axis.name, axis.name]);
  const status = element("span", { role: "status", class: "note" });

  const drawFilters = () => {
    const form = find("filters");
    axes.forEach((axis, place) => {
      if (axis.values.length < 2) return;
      const select = element("select", { "data-axis": place, "aria-label": axis.name });
      options(select, [["", "all"], ...axis.values.map((text, number) => [String(number), text])], "");
      select.addEventListener("change", () => {
        wanted[place] = select.value === "" ? null : Number(select.value);
        update();
      });
      form.append(element("label", {}, `${axis.name} `, select));
    });
    const all = element("button", { type: "button" }, "Show all");
    all.addEventListener("click", () => {
      wanted.fill(null);
      ranges.clear();
      for (const select of form.querySelectorAll("select")) select.value = "";
      update();
    });
    form.append(all, status);
    form.addEventListener("submit", (event) => event.preventDefault());
  };

  // Tables of two axes

  const squares = (rowAxis, columnAxis, kind, fill) => {
    const [rows, columns] = [axes[axisAt.get(rowAxis)], axes[axisAt.get(columnAxis)]];
    const [down, along] = [axisAt.get(rowAxis), axisAt.get(columnAxis)];
    const places = new Map();
    for (const cell of shown) {
      const key = `${cell.at[down]} ${cell.at[along]}`;
      if (places.has(key)) places.get(key).push(cell);
      else places.set(key, [cell]);
    }
    const used = (axis, place) => axis.values.map((_, n) => n).filter((n) => shown.some((cell) => cell.at[place] === n));
    const across = used(columns, along);
    const head = element("tr", {}, element("th", { class: "corner", scope: "col" }, `${rowAxis} \\ ${columnAxis}`),
      ...across.map((n) => element("th", { scope: "col" }, columns.values[n])));
    const body = used(rows, down).map((row) =>
      element("tr", {}, element("th", { scope: "row" }, rows.values[row]),
        ...across.map((column) => fill(places.get(`${row} ${column}`) ?? []))));
    return element("table", { class: `square ${kind}` },
      element("caption", { class: "unseen" }, `${rowAxis} by ${columnAxis}`),
      element("thead", {}, head), element("tbody", {}, ...body));
  };
  const drawGrid = () => {
    const fill = (several) => {
      const square = element("td");
      for (const verdict of data.verdicts) {
        const found = several.filter((cell) => cell.verdict === verdict);
        if (!found.length) continue;
        square.append(badge(verdict, several.length > 1 ? ` ${found.length}` : ""), element("br"));
      }
      if (several.length === 1) square.append(element("span", { class: "small" }, several[0].told));
      return square;
    };
    find("grid").replaceChildren(squares(find("grid-rows").value, find("grid-columns").value, "grid", fill));
  };
  const drawHeat = () => {
    const name = find("heat-figure").value;
    const fill = (several) => {
      const found = pooled(several, name);
      if (!found) return element("td", {}, "–");
      const title = [several.length > 1 ? `${several.length} cells` : "1 cell",
        found.seeds ? `${found.seeds} seeds` : "no seed in common", span(found)].filter(Boolean).join(", ");
      return element("td", { style: `--share:${(found.mean / scale).toFixed(3)}`, title },
        decimals(found.mean),
        found.low === null ? null : element("span", { class: "small" }, span(found)));
    };
    find("heat-map").replaceChildren(squares(find("heat-rows").value, find("heat-columns").value, "heat", fill));
  };

  // Curves

  // As wide as there is room for, so that letters keep their size on a phone.
  const room = () => Math.max(280, Math.min(720, find("curves").clientWidth));
  const HIGH = 320, LEFT = 40, RIGHT = 14, TOP = 10, BOTTOM = 44;
  let WIDE = room();
  const plot = (described, ticks, place, label, lines) => {
    const svg = shape("svg", { class: "plot", viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": described });
    const up = (value) => TOP + (1 - value / scale) * (HIGH - TOP - BOTTOM);
    for (const share of [0, 0.25, 0.5, 0.75, 1]) {
      svg.append(shape("path", { class: "grid", d: `M${LEFT},${up(share * scale)}H${WIDE - RIGHT}` }));
      svg.append(shape("text", { x: LEFT - 6, y: up(share * scale) + 4, "text-anchor": "end", class: "quiet" }, String(share)));
    }
    for (const [value, text] of ticks) {
      svg.append(shape("path", { class: "rule", d: `M${place(value)},${HIGH - BOTTOM}v4` }));
      svg.append(shape("text", { x: place(value), y: HIGH - BOTTOM + 17, "text-anchor": "middle", class: "quiet" }, text));
    }
    svg.append(shape("text", { x: (LEFT + WIDE - RIGHT) / 2, y: HIGH - 6, "text-anchor": "middle" }, short(label, 60)));
    const point = ([x, y]) => `${place(x).toFixed(1)},${up(y).toFixed(1)}`;
    for (const { points, look } of lines) {
      const banded = points.filter((one) => one.low !== null);
      const hue = `--hue:${look.hue}`;
      if (banded.length > 1) {
        const edge = [...banded.map((one) => [one.x, one.high]), ...banded.reverse().map((one) => [one.x, one.low])];
        svg.append(shape("path", { class: "band", style: hue, d: `M${edge.map(point).join("L")}Z` }));
      } else {
        for (const one of banded) svg.append(shape("path", { class: "whisker", style: hue, d: `M${point([one.x, one.low])}L${point([one.x, one.high])}` }));
      }
      svg.append(shape("path", { class: "line", style: hue, "stroke-dasharray": look.dash, d: `M${points.map((one) => point([one.x, one.mean])).join("L")}` }));
      if (points.length <= 12) {
        for (const one of points) {
          const dot = shape("circle", { style: hue, cx: place(one.x), cy: up(one.mean), r: 3.2 });
          dot.append(shape("title", {}, `${one.text}: ${decimals(one.mean)}${one.low === null ? "" : ` (${span(one)})`}`));
          svg.append(dot);
        }
      }
    }
    return [svg, legendOf(lines)];
  };
  const legendOf = (lines) => {
    const legend = element("ul", { class: "legend" });
    for (const { name, look } of lines) {
      const sample = shape("svg", { class: "plot", viewBox: "0 0 36 14", "aria-hidden": "true" });
      sample.append(shape("path", { class: "line", style: `--hue:${look.hue}`, "stroke-dasharray": look.dash, d: "M0,7H36" }));
      legend.append(element("li", {}, sample, name));
    }
    return legend;
  };
  const spread = (numbers) => {
    const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
    // Values that grow by factors stand at equal distances: 0.001, 0.01, 0.1.
    const by = least > 0 && most / least >= 10 ? Math.log : (value) => value;
    const width = by(most) - by(least) || 1;
    return (value) => LEFT + 14 + ((by(value) - by(least)) / width) * (WIDE - LEFT - RIGHT - 28);
  };
  // Ticks whose words would run into each other are left out.
  const thinned = (ticks, place) => {
    const kept = [];
    let end = -Infinity;
    for (const [value, text] of ticks) {
      const half = 3.4 * text.length;
      if (place(value) - half > end + 8) {
        kept.push([value, text]);
        end = place(value) + half;
      }
    }
    return kept;
  };
  const groups = (lineAxis) => {
    const place = axisAt.get(lineAxis);
    return axes[place].values.map((name, number) => ({
      name, look: style(number), several: shown.filter((cell) => cell.at[place] === number),
    })).filter((group) => group.several.length);
  };
  const drawCurves = () => {
    const [name, across, lineAxis] = ["curve-figure", "curve-across", "curve-lines"].map((id) => find(id).value);
    const axis = axes[axisAt.get(across)], along = axisAt.get(across);
    const numbers = axis.numbers ?? axis.values.map((_, number) => number);
    const place = spread(numbers);
    const lines = groups(lineAxis).map(({ name: called, look, several }) => {
      const points = axis.values.map((text, number) => {
        const found = pooled(several.filter((cell) => cell.at[along] === number), name);
        return found && { x: numbers[number], text: `${called}, ${across} ${text}`, ...found };
      }).filter(Boolean);
      return { name: called, look, points: points.sort((a, b) => a.x - b.x) };
    }).filter((line) => line.points.length);
    const most = axis.numbers ? 14 : Math.max(4, Math.floor(100 / axis.values.length));
    const ticks = axis.values.map((text, number) => [numbers[number], short(text, most)]).sort((a, b) => a[0] - b[0]);
    const title = figures.find((figure) => figure.name === name)?.title ?? name;
    find("curve").replaceChildren(...plot(`${title} by ${across}, a line per ${lineAxis}`, thinned(ticks, place), place, across, lines));
  };
  const drawLearning = () => {
    const [name, lineAxis] = ["learning-figure", "learning-lines"].map((id) => find(id).value);
    const lines = groups(lineAxis).map(({ name: called, look, several }) => {
      const curves = several.map((cell) => cell.curves[name]).filter((curve) => curve.length);
      const byEpoch = new Map();
      for (const curve of curves) {
        for (const [epoch, mean, low = null, high = null] of curve) {
          if (!byEpoch.has(epoch)) byEpoch.set(epoch, []);
          byEpoch.get(epoch).push({ mean, low, high });
        }
      }
      // An epoch that only some cells reached would bend the mean.
      const points = [...byEpoch].filter(([, found]) => found.length === curves.length).sort((a, b) => a[0] - b[0])
        .map(([epoch, found]) => ({
          x: epoch, text: `${called}, epoch ${epoch}`, mean: average(found.map((one) => one.mean)),
          low: found.length === 1 ? found[0].low : null, high: found.length === 1 ? found[0].high : null,
        }));
      return { name: called, look, points };
    }).filter((line) => line.points.length);
    const last = Math.max(1, ...lines.flatMap((line) => line.points.map((point) => point.x)));
    const place = (epoch) => LEFT + 14 + (epoch / last) * (WIDE - LEFT - RIGHT - 28);
    const step = Math.max(1, Math.ceil(last / 10));
    const ticks = Array.from({ length: Math.floor(last / step) + 1 }, (_, n) => [n * step, String(n * step)]);
    const title = data.curves.find((figure) => figure.name === name).title;
    find("learning-curve").replaceChildren(...plot(`${title} on validation by epoch, a line per ${lineAxis}`, ticks, place, "epoch", lines));
  };

  // The parallel plot: a column per axis and per figure, a line per cell

  const between = (count, number) => (count < 2 ? 0.5 : number / (count - 1));
  const columns = [
    ...axes.map((axis, place) => ({
      name: axis.name,
      ticks: axis.values.map((text, number) => [between(axis.values.length, number), text]),
      at: (cell) => between(axis.values.length, cell.at[place]),
    })),
    ...figures.map((figure) => ({
      name: figure.heading,
      ticks: [0, 0.25, 0.5, 0.75, 1].map((share) => [share, String(share)]),
      at: (cell) => { const found = means.get(figure.name).get(cell); return found === null ? null : found / scale; },
    })),
  ];
  const means = new Map(figures.map((figure) => [
    figure.name, new Map(cells.map((cell) => [cell, pooled([cell], figure.name)?.mean ?? null])),
  ]));
  const kept = (cell) => [...ranges].every(([number, [low, high]]) => {
    const at = columns[number].at(cell);
    return at !== null && at >= low && at <= high;
  });
  const paths = new Map();
  const boxes = [];
  const drawParallel = () => {
    const [gap, edge, top, high] = [118, 62, 34, 300];
    const wide = 2 * edge + gap * (columns.length - 1);
    const svg = shape("svg", { class: "parallel", viewBox: `0 0 ${wide} ${high + top + 14}`, style: `min-width:${Math.round(wide * 0.8)}px;max-width:${Math.round(wide * 1.4)}px`, role: "img", "aria-label": "Every cell as a line over its settings and figures" });
    const x = (number) => edge + gap * number, y = (share) => top + (1 - share) * high;
    for (const cell of cells) {
      const points = columns.map((column, number) => [x(number), column.at(cell)]).filter(([, at]) => at !== null);
      const path = shape("path", { style: `--hue:${hueOf(cell.verdict)}`, d: `M${points.map(([left, at]) => `${left},${y(at).toFixed(1)}`).join("L")}` });
      path.append(shape("title", {}, `${cell.at.map((number, place) => axes[place].values[number]).join(", ")}: ${cell.verdict}`));
      paths.set(cell, path);
      svg.append(path);
    }
    columns.forEach((column, number) => {
      svg.append(shape("path", { d: `M${x(number)},${y(1)}V${y(0)}`, style: "stroke:var(--quiet);stroke-opacity:1" }));
      svg.append(shape("text", { class: "name", x: x(number), y: 16, "text-anchor": "middle" }, short(column.name, 17)));
      const step = Math.ceil(column.ticks.length / 16);
      column.ticks.forEach(([share, text], place) => {
        if (place % step) return;
        const label = shape("text", { x: x(number) + 5, y: y(share) + 4 }, short(text, 15));
        label.append(shape("title", {}, text));
        svg.append(label);
      });
      const box = shape("rect", { class: "kept", x: x(number) - 7, width: 14, y: 0, height: 0, visibility: "hidden" });
      boxes[number] = (range) => {
        box.setAttribute("visibility", range ? "visible" : "hidden");
        if (!range) return;
        box.setAttribute("y", y(range[1]));
        box.setAttribute("height", Math.max(2, y(range[0]) - y(range[1])));
      };
      const hit = shape("rect", { class: "hit", "data-column": number, x: x(number) - 16, width: 32, y: top - 12, height: high + 24 });
      const share = (event) => {
        const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
        return 1 - (point.y - top) / high;
      };
      let from = null;
      hit.addEventListener("pointerdown", (event) => { from = share(event); hit.setPointerCapture(event.pointerId); });
      const reach = (event) => [Math.min(from, share(event)), Math.max(from, share(event))];
      hit.addEventListener("pointermove", (event) => { if (from !== null) boxes[number](reach(event)); });
      hit.addEventListener("pointerup", (event) => {
        if (from === null) return;
        const range = reach(event);
        from = null;
        if (range[1] - range[0] < 0.02) ranges.delete(number);
        else ranges.set(number, range);
        update();
      });
      hit.addEventListener("pointercancel", () => { from = null; boxes[number](ranges.get(number)); });
      svg.append(box, hit);
    });
    find("parallel-plot").replaceChildren(svg);
    const met = data.verdicts.filter((verdict) => cells.some((cell) => cell.verdict === verdict));
    find("parallel-plot").after(legendOf(met.map((name) => ({ name, look: { hue: hueOf(name), dash: "" } }))));
  };

  const rows = new Map([...document.querySelectorAll("#cell-table [data-cell]")].map((row) => [cells[Number(row.dataset.cell)], row]));
  const update = () => {
    shown = cells.filter((cell) => passes(cell) && kept(cell));
    const inside = new Set(shown);
    for (const cell of cells) {
      for (const drawn of [rows.get(cell), paths.get(cell)]) drawn.toggleAttribute("data-out", !inside.has(cell));
    }
    columns.forEach((_, number) => boxes[number](ranges.get(number)));
    status.textContent = shown.length === cells.length ? `${cells.length} cells` : `${shown.length} of ${cells.length} cells`;
    for (const draw of [drawGrid, drawHeat, drawCurves, drawLearning]) draw();
  };

  for (const drawn of document.querySelectorAll(".drawn")) drawn.hidden = false;
  WIDE = room();
  addEventListener("resize", () => {
    if (room() === WIDE) return;
    WIDE = room();
    drawCurves();
    drawLearning();
  });
  const figureNames = figures.map((figure) => [figure.name, figure.title]);
  const usual = figures.some((figure) => figure.name === "aligned") ? "aligned" : figures[0]?.name ?? "";
  for (const [id, names, chosen, draw] of [
    ["grid-rows", axisNames, data.first.rows, drawGrid], ["grid-columns", axisNames, data.first.columns, drawGrid],
    ["heat-figure", figureNames, usual, drawHeat], ["heat-rows", axisNames, data.first.heat[0], drawHeat],
    ["heat-columns", axisNames, data.first.heat[1], drawHeat],
    ["curve-figure", figureNames, usual, drawCurves], ["curve-across", axisNames, data.first.across, drawCurves],
    ["curve-lines", axisNames, data.first.lines, drawCurves],
    ["learning-figure", data.curves.map((figure) => [figure.name, figure.title]), data.curves.at(-1).name, drawLearning],
    ["learning-lines", axisNames, data.first.lines, drawLearning],
  ]) {
    options(find(id), names, chosen);
    find(id).addEventListener("change", draw);
  }
  drawFilters();
  drawParallel();
  update();
}
