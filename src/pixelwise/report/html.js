for (const box of document.querySelectorAll("[data-filter]")) {
  const items = [...document.querySelectorAll(box.dataset.filter)];
  box.hidden = false;
  box.querySelector("input").addEventListener("input", (event) => {
    const text = event.target.value.trim().toLowerCase();
    for (const item of items) {
      item.hidden = !item.textContent.toLowerCase().includes(text);
      if (text && !item.hidden) item.closest("details")?.setAttribute("open", "");
    }
    const shown = items.filter((item) => !item.hidden).length;
    box.querySelector("output").textContent = text ? `${shown} of ${items.length}` : "";
  });
}
