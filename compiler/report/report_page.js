// The table of ops: sorted by a column, filtered by words and by arithmetic; without this script it is whole, in order.
"use strict";
(() => {
  const table = document.querySelector("table.ops");
  if (!table) return;
  document.documentElement.classList.add("js");
  const body = table.tBodies[0], rows = [...body.rows], heads = [...table.tHead.rows[0].cells];
  const words = document.getElementById("words"), kind = document.getElementById("kind"), order = document.getElementById("order");
  const shown = document.getElementById("shown");
  const texts = rows.map(row => row.textContent.toLowerCase());
  const key = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.v === undefined ? cell.textContent.trim().toLowerCase() : Number(cell.dataset.v);
  };
  const compare = (a, b) => typeof a === "number" && typeof b === "number" ? a - b : String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;

  function sort(column, descending) {
    const keys = new Map(rows.map((row, i) => [row, [key(row, column), i]]));
    const sorted = [...rows].sort((a, b) => {
      const [x, i] = keys.get(a), [y, k] = keys.get(b), by = compare(x, y);
      return by ? (descending ? -by : by) : i - k; // equal ones stay in the order in which they run
    });
    body.append(...sorted);
    heads.forEach((head, i) => i === column ? head.setAttribute("aria-sort", descending ? "descending" : "ascending") : head.removeAttribute("aria-sort"));
    order.value = String(column);
  }

  function filter() {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    rows.forEach((row, i) => {
      row.hidden = (kind.value && !row.classList.contains(kind.value)) || !wanted.every(word => texts[i].includes(word));
      count += !row.hidden;
    });
    shown.textContent = `${count} of ${rows.length} ops`;
  }

  heads.forEach((head, column) => {
    const numbers = head.classList.contains("n"), button = document.createElement("button"), option = document.createElement("option");
    button.type = "button";
    button.textContent = option.textContent = head.textContent;
    option.value = String(column);
    order.append(option);
    head.replaceChildren(button);
    button.addEventListener("click", () => { // numbers: largest first
      const now = head.getAttribute("aria-sort");
      sort(column, now ? now === "ascending" : numbers && column > 0);
    });
  });
  order.addEventListener("change", () => sort(Number(order.value), heads[Number(order.value)].classList.contains("n") && order.value !== "0"));
  words.addEventListener("input", filter);
  kind.addEventListener("change", filter);
  heads[0].setAttribute("aria-sort", "ascending");
  filter();
  // Links to an op show it, whatever the filter hides.
  addEventListener("hashchange", () => {
    const row = document.getElementById(location.hash.slice(1));
    if (row && row.hidden) {
      words.value = kind.value = "";
      filter();
      row.scrollIntoView();
    }
  });
  // Fingers have no pointer to rest on a box of the workspace.
  const map = document.querySelector("svg.map"), told = document.getElementById("told");
  if (map) map.addEventListener("click", event => {
    const title = event.target.querySelector && event.target.querySelector("title");
    if (title) told.textContent = title.textContent;
  });
})();
