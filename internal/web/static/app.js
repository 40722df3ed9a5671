"use strict";
// Everything that comes from the node is put into the page as text, never as markup.

const at = id => document.getElementById(id);
let help = {}, state = null, chosen = null;

const make = (name, attrs = {}, ...inside) => put(document.createElement(name), attrs, inside);
const draw = (name, attrs = {}, ...inside) => put(document.createElementNS("http://www.w3.org/2000/svg", name), attrs, inside);
function put(e, attrs, inside) {
  for (const [k, v] of Object.entries(attrs)) {
    if (k === "onclick") e.addEventListener("click", v);
    else if (v !== null && v !== undefined && v !== "") e.setAttribute(k, v);
  }
  e.append(...inside.map(x => x instanceof Node ? x : String(x)));
  return e;
}

const units = (x, steps, names) => {
  let i = 0;
  while (i < names.length - 1 && Math.abs(x) >= steps) { x /= steps; i++; }
  return (x >= 100 || x === Math.round(x) ? Math.round(x) : x.toPrecision(3)) + names[i];
};
const count = x => units(x, 1000, ["", " k", " M", " G", " T"]);
const bytes = x => units(x, 1024, [" B", " KiB", " MiB", " GiB", " TiB"]);
const short = (name, most) => name.length > most ? name.slice(0, most - 1) + "…" : name;
const time = ns => units(ns, 1000, [" ns", " µs", " ms", " s"]);

function table(id, heads, rows) {
  const t = at(id);
  if (!rows.length) { t.replaceChildren(make("tbody", {}, make("tr", {}, make("td", {class: "none"}, "none")))); return; }
  t.replaceChildren(
    make("thead", {}, make("tr", {}, ...heads.map(([name, metric, side]) => make("th", {title: help[metric], class: side}, name)))),
    make("tbody", {}, ...rows));
}
const row = (cells, attrs = {}) => make("tr", attrs, ...cells.map(c => c instanceof Node && c.tagName === "TD" ? c : make("td", {}, c)));
const mark = (ok, yes, no, bad = "bad") => make("span", {class: ok ? "good" : bad}, ok ? yes : no);

// The hop that says most of a channel: what subscribers are handed, else what arrives, else what is sent.
const best = c => ["delivered", "received", "carried"].map(h => c.hops.find(x => x.hop === h)).find(x => x);

function channels(s) {
  const rows = s.channels.filter(c => c.name !== "(all)").map(c => {
    const h = best(c), drops = c.drops.reduce((n, d) => n + d.count, 0);
    return row([
      c.name, count(c.rate) + "/s", bytes(c.bytes_rate) + "/s", count(c.taken_rate) + "/s", bytes(c.lag),
      make("span", {class: c.lost > 0 ? "bad" : ""}, count(c.lost)), make("span", {class: drops > 0 ? "warn" : ""}, count(drops)),
      h ? h.hop : "no stamps", h ? time(h.p50) : "", h ? time(h.p99) : "", h ? time(h.p999) : "", h ? time(h.max) : "",
    ], {class: "row" + (c.name === chosen ? " chosen" : ""), "data-channel": c.name, onclick: () => { chosen = c.name; show(); past(); }});
  });
  table("channels", [["channel"], ["published", "pulse_ring_committed_messages_total"], ["bytes", "pulse_ring_committed_bytes_total"],
    ["taken", "pulse_subscriber_messages_total"], ["lag", "pulse_reader_lag_bytes"], ["lost", "pulse_subscriber_lost_messages_total"],
    ["drops", "pulse_link_dropped_total"], ["latency to", "pulse_hop_latency_seconds"], ["p50"], ["p99"], ["p99.9"], ["max"]], rows);
}

function ways(s) {
  const rows = [];
  for (const c of s.channels) for (const one of c.carriages) for (const w of one.ways)
    rows.push(row([c.name, make("td", {class: "left"}, one.node || "(all)"), make("td", {class: "left"}, w.medium + (w.medium === one.medium ? " ◂" : "")),
      mark(w.alive, "alive", "silent"), mark(w.breaker === "closed", w.breaker, w.breaker || "unknown", "warn"), count(w.opened),
      count(one.failovers) + " / " + count(one.failbacks)]));
  table("ways", [["channel"], ["to", "", "left"], ["by", "pulse_carriage_active", "left"], ["heard", "pulse_way_alive"], ["breaker", "pulse_way_breaker_state"],
    ["opened", "pulse_way_breaker_opened_total"], ["over / back", "pulse_carriage_failovers_total"]], rows);
}

function readers(s) {
  const rows = [];
  for (const c of s.channels) for (const r of c.rings) for (const one of r.readers)
    rows.push(row([c.name, make("td", {class: "left"}, r.name), make("td", {class: "left"}, one.name), one.gating ? "gates" : "may be lapped",
      mark(one.alive, "alive", "away", "warn"), bytes(one.lag), make("progress", {max: r.capacity || 1, value: Math.min(one.lag, r.capacity), title: "of " + bytes(r.capacity)})]));
  table("readers", [["channel"], ["ring", "", "left"], ["reader", "", "left"], ["", "pulse_reader_gating"], ["", "pulse_reader_alive"], ["lag", "pulse_reader_lag_bytes"], [""]], rows);
}

function drops(s) {
  const rows = [];
  for (const c of s.channels) for (const d of c.drops)
    rows.push(row([c.name, make("td", {class: "left", title: help[d.metric]}, d.metric.replace(/^pulse_|_total$/g, "").replaceAll("_", " ")),
      make("td", {class: "left"}, d.where), make("td", {class: "left"}, d.reason), count(d.count), count(d.rate) + "/s"]));
  table("drops", [["channel"], ["what", "", "left"], ["where", "", "left"], ["reason", "", "left"], ["count"], ["now"]], rows);
}

function processes(s) {
  table("processes", [["process"], ["pid"], ["state"], ["said something"]], s.processes.map(p =>
    row([p.name, p.pid, mark(p.alive && p.age_ns < 3e9, "alive", p.alive ? "silent" : "gone", p.name === "node" ? "bad" : "warn"), time(Math.max(p.age_ns, 0)) + " ago"])));
}

function faults(s) {
  const box = at("faults");
  box.hidden = !s.health.faults.length;
  box.replaceChildren(...s.health.faults.map(f => make("p", {}, make("span", {class: f.state === "failing" ? "bad" : "warn"}, f.what), ": " + f.why)));
}

// The graph: this node in the middle with what stays in it, the nodes it sends to on the right, those it hears from on the left.
function graph(s) {
  const out = [], incoming = [], local = [];
  for (const c of s.channels) {
    if (c.name === "(all)") continue;
    for (const one of c.carriages) out.push({channel: c.name, node: one.node || "queue", medium: one.medium,
      level: one.stranded ? "failing" : !one.medium || one.ways.some(w => !w.alive || w.breaker !== "closed") ? "degraded" : "ok"});
    const from = new Set(c.hops.filter(h => h.hop === "received").map(h => h.node + "\u0000" + h.medium));
    for (const f of from) { const [node, medium] = f.split("\u0000"); incoming.push({channel: c.name, node, medium, level: "ok"}); }
    if (!c.carriages.length && !from.size) local.push(c.name);
  }
  const names = edges => [...new Set(edges.map(e => e.node))].sort();
  const rights = names(out), lefts = names(incoming);
  const rowH = 24, gap = 22, pad = 14, width = 1200, boxW = 190;
  const side = (list, edges) => list.map(n => ({name: n, edges: edges.filter(e => e.node === n)}));
  const height = groups => groups.reduce((h, g) => h + pad * 2 + Math.max(1, g.edges.length) * rowH + gap, 0);
  const R = side(rights, out), L = side(lefts, incoming);
  const total = Math.max(height(R), height(L), pad * 2 + rowH * (local.length + 2), 90);
  const svg = draw("svg", {viewBox: `0 0 ${width} ${total}`, role: "img", "aria-label": "topology"});
  const midX = (width - boxW) / 2;
  svg.append(draw("rect", {class: "box", x: midX, y: 2, width: boxW, height: total - 4, rx: 6}),
    draw("text", {x: midX + boxW / 2, y: 24, "text-anchor": "middle", "font-weight": 600}, s.node || "this node"));
  local.forEach((name, i) => svg.append(draw("text", {class: "soft", x: midX + boxW / 2, y: 50 + i * rowH, "text-anchor": "middle"}, short(name, 26))));
  const column = (groups, x, fromX, toX) => {
    let y = (total - height(groups) + gap) / 2;
    for (const g of groups) {
      const h = pad * 2 + Math.max(1, g.edges.length) * rowH;
      svg.append(draw("g", {"data-node": g.name}, draw("rect", {class: "box", x, y, width: boxW, height: h, rx: 6}),
        draw("text", {x: x + boxW / 2, y: y + h / 2 + 4, "text-anchor": "middle", "font-weight": 600}, short(g.name, 24))));
      g.edges.forEach((e, i) => {
        const ey = y + pad + (i + 0.5) * rowH;
        svg.append(draw("g", {"data-edge": e.channel + " " + e.node, "data-medium": e.medium},
          draw("path", {class: "edge " + e.level, d: `M${fromX} ${ey}H${toX}`}),
          draw("path", {class: "edge " + e.level, d: `M${toX - 7} ${ey - 5}L${toX} ${ey}L${toX - 7} ${ey + 5}`}),
          draw("text", {x: (fromX + toX) / 2, y: ey - 5, "text-anchor": "middle"}, short(e.channel, 32) + " · " + (e.medium || "changing ways"))));
      });
      y += h + gap;
    }
  };
  column(R, width - boxW - 2, midX + boxW, width - boxW - 2);
  column(L, 2, boxW + 2, midX);
  at("graph").replaceChildren(svg);
}

// Ten minutes of one hop's percentiles, on a logarithmic scale.
const lines = [["p50", 1], ["p99", 2], ["p999", 3], ["max", 4]];
function chart(p) {
  const W = 600, H = 190, left = 62, bottom = 22, top = 10, now = Date.now() / 1000;
  const all = p.points.flatMap(q => q.slice(1)).filter(v => v > 0);
  const lo = Math.floor(Math.log10(Math.min(...all))), hi = Math.max(lo + 1, Math.ceil(Math.log10(Math.max(...all))));
  const x = t => left + (W - left - 8) * (1 - Math.min(600, now - t) / 600), y = v => top + (H - top - bottom) * (1 - (Math.log10(Math.max(v, 1)) - lo) / (hi - lo));
  const svg = draw("svg", {viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": "latency of " + p.hop});
  for (let d = lo; d <= hi; d++) svg.append(draw("path", {class: "axis", d: `M${left} ${y(10 ** d)}H${W - 8}`}), draw("text", {class: "soft", x: left - 8, y: y(10 ** d) + 4, "text-anchor": "end"}, time(10 ** d)));
  for (const m of [10, 5, 0]) svg.append(draw("text", {class: "soft", x: x(now - m * 60), y: H - 5, "text-anchor": m === 10 ? "start" : m ? "middle" : "end"}, m ? m + " min ago" : "now"));
  for (const [name, i] of lines) {
    let d = "", last = 0;
    for (const q of p.points) { d += (q[0] - last > 5 ? "M" : "L") + x(q[0]).toFixed(1) + " " + y(q[i]).toFixed(1); last = q[0]; }
    if (p.points.length === 1) d += "h1.5";
    svg.append(draw("path", {class: "series " + name, d}));
  }
  return make("div", {"data-hop": p.hop}, p.hop + (p.node ? " " + (p.hop === "received" ? "from " : "to ") + p.node + " by " + p.medium : ""), svg);
}

async function past() {
  if (!chosen) return;
  const answer = await fetch("api/history?channel=" + encodeURIComponent(chosen));
  const hops = await answer.json();
  at("chosen").textContent = chosen;
  at("latency").replaceChildren(hops.length
    ? make("div", {}, make("div", {class: "key"}, ...lines.map(([n]) => make("span", {}, make("i", {class: n}), n === "p999" ? "p99.9" : n))), make("div", {class: "charts"}, ...hops.map(chart)))
    : make("p", {class: "none"}, "no figures within the last ten minutes: publishers that stamp their messages are timed"));
}

function show() {
  const s = state;
  if (!chosen) chosen = (s.channels.find(c => c.hops.length) || s.channels[0] || {}).name || null;
  at("node").textContent = (s.node || "this node") + (s.topology ? ", topology " + s.topology : "");
  at("state").textContent = s.health.state;
  at("state").className = "badge " + s.health.state;
  at("at").textContent = new Date(s.at).toLocaleTimeString();
  faults(s); graph(s); channels(s); ways(s); readers(s); drops(s); processes(s);
}

async function begin() {
  help = await (await fetch("api/help")).json();
  const events = new EventSource("api/events");
  events.onmessage = e => { state = JSON.parse(e.data); show(); past(); };
  events.onerror = () => { at("state").textContent = "no answer"; at("state").className = "badge failing"; };
}
begin();
