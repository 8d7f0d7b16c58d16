"use strict";
(() => {
  const tools = document.getElementById("tools");
  const place = document.querySelector(".cards");
  const control = name => document.getElementById(name);
  const cards = [...place.querySelectorAll("article")].map(card => ({
    card,
    ...card.dataset,
    words: `${card.textContent} ${card.dataset.run}`.toLowerCase(),
  }));
  const orders = {
    newest: (a, b) => b.started - a.started,
    oldest: (a, b) => a.started - b.started,
    longest: (a, b) => b.minutes - a.minutes,
    notebook: (a, b) => a.notebook.localeCompare(b.notebook) || b.started - a.started,
  };
  let order = "newest";

  function show() {
    const words = control("words").value.toLowerCase().split(/\s+/).filter(Boolean);
    const notebook = control("notebook").value;
    const state = control("state").value;
    let shown = 0;
    for (const item of cards) {
      const fits = (!notebook || item.notebook === notebook) && (!state || item.state === state)
        && words.every(word => item.words.includes(word));
      item.card.hidden = !fits;
      shown += fits;
    }
    if (order !== control("order").value) {
      order = control("order").value;
      place.append(...[...cards].sort(orders[order]).map(item => item.card));
    }
    control("count").textContent = shown === cards.length ? `${shown} shown` : `${shown} of ${cards.length} shown`;
  }

  tools.hidden = false;
  tools.addEventListener("input", show);
  show();
})();
