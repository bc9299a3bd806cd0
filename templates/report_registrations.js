// The table of all devices and the heatmap of a group; without it the worst devices are listed, and
// groups are shown as one. Texts of the capture are only ever set as text.
(function () {
  var store = document.getElementById("fleet-data"), table = document.getElementById("device-table");
  if (!store || !table || typeof DecompressionStream === "undefined") return;
  var WIDTH = 11, RULES = 11, HEAT = 12, PAGE = 13, STEP = 300;
  var body = table.tBodies[0], search = document.getElementById("device-search");
  var rule = document.getElementById("device-rule"), more = document.getElementById("device-more");
  var count = document.getElementById("device-count"), rows = [], hits = [], drawn = 0;
  var order = { column: -1, down: false };

  function inflate(text) {
    var octets = Uint8Array.from(atob(text), function (c) { return c.charCodeAt(0); });
    var stream = new Blob([octets]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    return new Response(stream).text();
  }
  function number(text) {
    var value = parseFloat(text);
    if (isNaN(value)) return text;
    var unit = /[\d.]\s*(ms|s|min|h|d)\b/.exec(text.split("/").pop());
    var scale = { ms: 1e-3, s: 1, min: 60, h: 3600, d: 86400 };
    return unit && text.indexOf("/") < 0 ? value * scale[unit[1]] : value;
  }
  function element(name, text, kind) {
    var made = document.createElement(name);
    if (text) made.textContent = text;
    if (kind) made.className = kind;
    return made;
  }
  function line(row) {
    var tr = document.createElement("tr");
    for (var at = 0; at < WIDTH; at++) {
      var cell = element("td", "", at < 2 ? "mono" : at > 2 ? "num" : "");
      if (at === 0 && row[PAGE]) {
        var link = element("a", row[0]);
        link.href = "#device-" + row[PAGE];
        cell.appendChild(link);
      } else if (at === 2) {
        var state = row[2].split("|");
        cell.appendChild(element("span", state[1], "badge " + state[0]));
      } else {
        cell.textContent = row[at];
      }
      tr.appendChild(cell);
    }
    return tr;
  }
  function draw(until) {
    var part = document.createDocumentFragment();
    for (; drawn < Math.min(until, hits.length); drawn++) part.appendChild(line(hits[drawn]));
    body.appendChild(part);
    more.hidden = drawn >= hits.length;
    count.textContent = hits.length + " of " + rows.length + " devices";
  }
  function refresh() {
    var words = search.value.toLowerCase().split(/\s+/).filter(Boolean), only = rule.value;
    hits = rows.filter(function (row) {
      if (only && row[RULES].split(",").indexOf(only) < 0) return false;
      var text = (row[0] + " " + row[1] + " " + row[2]).toLowerCase();
      return words.every(function (word) { return text.indexOf(word) >= 0; });
    });
    if (order.column >= 0) {
      var keys = new Map(hits.map(function (row) { return [row, number(row[order.column])]; }));
      hits.sort(function (a, b) {
        var x = keys.get(a), y = keys.get(b), mixed = typeof x !== typeof y;
        var sign = mixed ? (typeof x === "number" ? 1 : -1) : x < y ? -1 : x > y ? 1 : 0;
        return order.down ? -sign : sign;
      });
    }
    body.textContent = "";
    drawn = 0;
    draw(STEP);
  }
  function sort(column) {
    order.down = order.column === column ? !order.down : true;
    order.column = column;
    Array.prototype.forEach.call(table.tHead.rows[0].cells, function (head, at) {
      head.setAttribute("aria-sort", at !== column ? "none" : order.down ? "descending" : "ascending");
    });
    refresh();
  }
  function activate(target, act) {
    target.tabIndex = 0;
    target.style.cursor = "pointer";
    target.addEventListener("click", act);
    target.addEventListener("keydown", function (event) { if (event.key === "Enter") act(); });
  }
  function color(kind) {
    return getComputedStyle(document.querySelector("#heat-key ." + kind)).backgroundColor;
  }
  function open(group) {
    var name = group.getAttribute("data-group"), place = document.getElementById("heat-open");
    var whole = group.getAttribute("data-whole") === "1";
    var members = rows.filter(function (row) {
      return whole ? row[0] === name : row[0].indexOf(name) === 0;
    });
    members.sort(function (a, b) { return a[0] < b[0] ? -1 : 1; });
    var bins = +place.getAttribute("data-bins"), most = 32000;
    // No canvas is higher than that in every browser: thin rows, and what has no row is told.
    var high = Math.max(1, Math.min(14, Math.max(2, Math.floor(700 / members.length)), Math.floor(most / members.length)));
    var canvas = document.createElement("canvas"), said = element("p", "", "note");
    canvas.width = 1000;
    canvas.height = Math.min(most, high * members.length);
    if (most < members.length) {
      said.textContent = "The first " + most + " of " + members.length + " devices are drawn.";
      members = members.slice(0, most);
    }
    var paper = canvas.getContext("2d"), kinds = {};
    ["h0", "h1", "h2", "h3", "h4", "unknown", "gap"].forEach(function (kind, at) { kinds["abcdeug"[at]] = color(kind); });
    members.forEach(function (row, at) {
      var x = 0, run = /([a-z])(\d+)/g, found;
      while ((found = run.exec(row[HEAT]))) {
        var wide = +found[2] * canvas.width / bins;
        paper.fillStyle = kinds[found[1]];
        paper.fillRect(x, at * high, wide + 0.5, Math.max(1, high - (high > 3 ? 1 : 0)));
        x += wide;
      }
    });
    function at(event) {
      var box = canvas.getBoundingClientRect();
      return members[Math.floor((event.clientY - box.top) / box.height * canvas.height / high)];
    }
    canvas.addEventListener("mousemove", function (event) {
      var row = at(event);
      if (row) said.textContent = row[0] + " at " + row[1] + ": " + row[2].split("|")[1] + ", coverage " + row[7];
    });
    canvas.addEventListener("click", function (event) {
      var row = at(event);
      if (!row) return;
      search.value = row[0];
      refresh();
      table.scrollIntoView();
    });
    place.textContent = "";
    place.appendChild(element("h4", members.length + " devices of " + name + (whole ? "" : "…") + "; a click finds one in the table"));
    place.appendChild(said);
    place.appendChild(canvas);
  }
  function unfold() {
    var part = location.hash && document.getElementById(location.hash.slice(1));
    if (part && part.tagName === "DETAILS") part.open = true;
  }

  inflate(store.textContent.trim()).then(function (text) {
    rows = text.split("\n").filter(Boolean).map(function (one) { return one.split("\t"); });
    document.getElementById("device-tools").hidden = false;
    search.addEventListener("input", refresh);
    rule.addEventListener("change", refresh);
    more.addEventListener("click", function () { draw(drawn + STEP); });
    Array.prototype.forEach.call(table.tHead.rows[0].cells, function (head, column) {
      activate(head, function () { sort(column); });
    });
    document.querySelectorAll("[data-group]").forEach(function (group) {
      activate(group, function () { open(group); });
    });
    refresh();
    document.documentElement.setAttribute("data-ready", "1");
  });
  window.addEventListener("hashchange", unfold);
  unfold();
})();
