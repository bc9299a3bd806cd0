(function () {
  var table = document.getElementById("device-table"), box = document.getElementById("device-search");
  if (!table || !box) return;
  var body = table.tBodies[0], rows = Array.prototype.slice.call(body.rows);
  box.hidden = false;
  box.addEventListener("input", function () {
    var words = box.value.toLowerCase().split(/\s+/);
    rows.forEach(function (row) {
      var text = row.textContent.toLowerCase();
      row.hidden = !words.every(function (word) { return text.indexOf(word) >= 0; });
    });
  });
  function value(row, column) {
    var text = row.cells[column].textContent.trim(), number = parseFloat(text);
    return isNaN(number) ? text : number;
  }
  Array.prototype.forEach.call(table.tHead.rows[0].cells, function (head, column) {
    var down = false;
    head.tabIndex = 0;
    head.style.cursor = "pointer";
    function sort() {
      down = !down;
      rows.sort(function (a, b) {
        var x = value(a, column), y = value(b, column), order = x < y ? -1 : x > y ? 1 : 0;
        return down ? -order : order;
      });
      rows.forEach(function (row) { body.appendChild(row); });
    }
    head.addEventListener("click", sort);
    head.addEventListener("keydown", function (event) { if (event.key === "Enter") sort(); });
  });
  function open() {
    var part = location.hash && document.getElementById(location.hash.slice(1));
    if (part && part.tagName === "DETAILS") part.open = true;
  }
  window.addEventListener("hashchange", open);
  open();
})();
