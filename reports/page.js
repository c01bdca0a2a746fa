"use strict";
const texts = document.body.dataset;

function readNumber(text) {
  const found = text.replace(/[,\s]/g, "").replace(/\u2212/g, "-").match(/[-+]?\d+(\.\d+)?/);
  return found ? Number(found[0]) : NaN;
}

function isBelow(one, other) {
  const numbers = [readNumber(one), readNumber(other)];
  if (numbers.every(Number.isFinite)) return numbers[0] - numbers[1];
  if (numbers.some(Number.isFinite)) return Number.isFinite(numbers[0]) ? -1 : 1;
  return one.localeCompare(other);
}

function sortBy(table, column, heads) {
  const isDown = heads[column].getAttribute("aria-sort") !== "descending";
  const isName = column === 0;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const read = row => row.cells[column].textContent.trim();
  rows.sort((a, b) => (isName ? read(a).localeCompare(read(b)) : isBelow(read(a), read(b))) * (isDown ? -1 : 1));
  heads.forEach(head => head.removeAttribute("aria-sort"));
  heads[column].setAttribute("aria-sort", isDown ? "descending" : "ascending");
  body.append(...rows);
}

function makeSortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  if (table.tBodies[0].rows.length < 3) return;
  heads.forEach((head, column) => {
    if (!head.textContent.trim()) return;
    const button = document.createElement("button");
    button.type = "button";
    button.title = texts.sort;
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sortBy(table, column, heads));
  });
}

function writeCell(cell) {
  const text = cell.textContent.trim();
  const isFormula = /^[=+\-@\t\r]/.test(text) && !/^[-+]?[\d,.]+( ?\S{0,3})$/.test(text);
  return `"${(isFormula ? "'" + text : text).replace(/"/g, '""')}"`;
}

function nameFile(table) {
  const headings = [...document.querySelectorAll("h1, h2, h3, h4, h5")];
  const before = headings.filter(each => each.compareDocumentPosition(table) & Node.DOCUMENT_POSITION_FOLLOWING);
  const last = before.at(-1);
  return (last ? last.textContent : document.title).trim().replace(/[\\/:*?"<>|\s]+/g, "-").slice(0, 80);
}

function addCsv(table) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "csv";
  button.textContent = texts.csv;
  button.setAttribute("aria-label", `${texts.csv}: ${nameFile(table)}`);
  button.addEventListener("click", () => {
    const lines = [...table.rows].map(row => [...row.cells].map(writeCell).join(","));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(["\ufeff" + lines.join("\r\n") + "\r\n"], {type: "text/csv"}));
    link.download = `${nameFile(table)}.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
  });
  (table.closest(".table") || table).after(button);
}

function showDefinition(event) {
  const term = event.target.closest("a.term");
  if (!term || !window.HTMLDialogElement) return;
  const meaning = document.getElementById(term.hash.slice(1));
  if (!meaning) return;
  event.preventDefault();
  const box = document.createElement("dialog");
  const heading = document.createElement("h2");
  const text = document.createElement("p");
  const close = document.createElement("button");
  heading.textContent = meaning.querySelector("dt").textContent;
  text.textContent = meaning.querySelector("dd").textContent;
  close.textContent = texts.close;
  close.className = "csv";
  heading.id = "defined-term";
  box.setAttribute("aria-labelledby", heading.id);
  close.addEventListener("click", () => box.close());
  box.addEventListener("click", click => click.target === box && box.close());
  box.addEventListener("close", () => { box.remove(); term.focus(); });
  box.append(heading, text, close);
  document.body.append(box);
  box.showModal();
}

function compareWith(choice) {
  document.querySelectorAll(".versions").forEach(block => {
    const versions = [...block.children];
    const shown = versions.find(each => each.dataset.against === choice) || versions[0];
    versions.forEach(each => { each.hidden = each !== shown; });
  });
}

function openRows() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const rows = target && target.closest("details");
  if (rows) { rows.open = true; target.scrollIntoView(); }
}

document.querySelectorAll("table").forEach(table => {
  if (table.tHead) { makeSortable(table); addCsv(table); }
});
document.addEventListener("click", showDefinition);
document.querySelectorAll("input[name=against]").forEach(input => {
  input.addEventListener("change", () => compareWith(input.value));
});
window.addEventListener("hashchange", openRows);
openRows();
