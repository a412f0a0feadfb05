// Tables that are sorted by any column, the IoU of a chosen class, and lists to copy or download.
{
  const data = JSON.parse(document.getElementById("report-data").textContent);
  for (const table of document.querySelectorAll("[data-sortable] table")) makeSortable(table);
  const classes = document.getElementById("class-of-iou");
  if (classes) offerClasses(classes, document.querySelector("#all-images table"));
  for (const list of document.querySelectorAll("[data-download]")) offerList(list);

  function makeSortable(table) {
    for (const head of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const isText = !head.classList.contains("number");
        const first = isText ? "ascending" : head.dataset.first ?? "ascending";
        const second = first === "ascending" ? "descending" : "ascending";
        sort(table, head.cellIndex, head.getAttribute("aria-sort") === first ? second : first);
      });
    }
  }

  // What was not measured ("-" or nothing) stays last either way.
  function sort(table, column, direction) {
    const heads = [...table.tHead.rows[0].cells];
    for (const head of heads) head.removeAttribute("aria-sort");
    heads[column].setAttribute("aria-sort", direction);
    const isText = !heads[column].classList.contains("number");
    const sign = direction === "ascending" ? 1 : -1;
    const body = table.tBodies[0];
    const keyed = [...body.rows].map((row) => {
      const text = row.cells[column].textContent.trim();
      return [isText ? text : Number.parseFloat(text.replaceAll(",", "")), row];
    });
    keyed.sort(([a], [b]) => {
      if (isText) return sign * a.localeCompare(b, undefined, { numeric: true });
      if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
      return sign * (a - b);
    });
    body.append(...keyed.map(([, row]) => row));
  }

  function offerClasses(select, table) {
    const rows = [...table.tBodies[0].rows]; // as written, which is the order of data.iou
    const column = table.tHead.rows[0].cells.length - 1;
    const label = table.tHead.rows[0].cells[column].firstElementChild;
    document.getElementById("iou-of").hidden = false;
    const fill = () => {
      const id = Number(select.value);
      label.textContent = `IoU of ${select.selectedOptions[0].textContent}`;
      rows.forEach((row, i) => {
        const value = data.iou[i].split(",")[id];
        row.cells[column].textContent = value ? (value / 1000).toFixed(3) : "-";
      });
    };
    select.addEventListener("change", () => {
      fill();
      sort(table, column, "ascending");
    });
    fill();
  }

  function offerList(list) {
    const bar = document.createElement("p");
    bar.className = "actions";
    const said = document.createElement("output");
    const copy = button("Copy the list", async () => {
      list.select();
      try {
        await navigator.clipboard.writeText(list.value);
        said.textContent = "Copied.";
      } catch {
        said.textContent = document.execCommand("copy") ? "Copied." : "Selected: copy it with Ctrl+C.";
      }
    });
    const save = button(`Download ${list.dataset.download}`, () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([list.value], { type: "text/csv" }));
      link.download = list.dataset.download;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    });
    bar.append(copy, " ", save, " ", said);
    list.before(bar);
  }

  function button(text, onClick) {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.addEventListener("click", onClick);
    return made;
  }
}
