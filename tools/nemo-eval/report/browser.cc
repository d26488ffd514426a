#include "tools/nemo-eval/report/browser.h"

namespace nemo {
namespace {

constexpr const char* kMarkup = R"(<div class="browser" id="browser">
<div class="controls">
<label>Task <select id="task"></select></label>
<label>Filter <select id="filter"></select></label>
<label>Show <select id="show"><option value="all">all</option><option value="right">right</option>
<option value="wrong">wrong</option></select></label>
<label>Search <input id="search" type="search" placeholder="in question and answer"></label>
<span id="count" class="soft"></span>
</div>
<div class="panes"><ol id="list" tabindex="0" aria-label="Samples"></ol>
<article id="sample" aria-live="polite"></article></div>
</div>
<noscript><p class="warn">The browser needs JavaScript; everything else on this page does not.</p></noscript>
)";

// Everything from the samples goes into the page as text, never as markup.
constexpr const char* kScript = R"js(
(() => {
  const tasks = JSON.parse(document.getElementById("samples").textContent);
  const by = id => document.getElementById(id);
  const make = (tag, cls, text) => {
    const e = document.createElement(tag);
    if (cls) e.className = cls;
    if (text !== undefined) e.textContent = text;
    return e;
  };
  let rows = [], current = 0;
  const task = () => tasks[by("task").selectedIndex];
  const is_right = r => r.score === null ? null : r.score >= 0.5;

  function show(index) {
    const list = by("list"), view = by("sample");
    list.children[current]?.classList.remove("current");
    current = Math.max(0, Math.min(index, rows.length - 1));
    view.replaceChildren();
    if (!rows.length) { view.append(make("p", "soft", "No sample is like that.")); return; }
    const row = rows[current], item = list.children[current];
    item.classList.add("current");
    // Not scrollIntoView: it would move the page as well.
    const above = item.offsetTop - list.offsetTop;
    if (above < list.scrollTop) list.scrollTop = above;
    if (above + item.offsetHeight > list.scrollTop + list.clientHeight)
      list.scrollTop = above + item.offsetHeight - list.clientHeight;
    const right = is_right(row);
    const head = make("h3", "", `${task().task}, document ${row.id}`);
    head.append(make("span", right === null ? "badge" : right ? "badge right" : "badge wrong",
                     right === null ? "no score" : right ? "right" : "wrong"));
    view.append(head);
    if (row.context) {
      view.append(make("h4", "", "Prompt"));
      const text = make("div", "text");
      if (row.cut) text.append(make("span", "soft", `[${row.cut} characters before this]\n`));
      text.append(row.context);
      view.append(text);
    }
    if (row.choices) view.append(make("h4", "", "Choices"), choices(row));
    else {
      view.append(make("h4", "", "Response"), make("div", "text", row.response || "(nothing)"));
      if (row.answer !== row.response)
        view.append(make("h4", "", "Taken from it"), make("div", "text", row.answer || "(nothing)"));
      view.append(make("h4", "", "Right answer"), make("div", "text", row.target));
    }
  }

  function choices(row) {
    const table = make("table", "choices");
    const sums = row.choices.map(c => c.ll ?? -Infinity), best = Math.max(...sums);
    row.choices.forEach((choice, i) => {
      const line = make("tr", i === row.gold ? "gold" : "");
      const mark = make("td", "left", (i === row.gold ? "✓" : "") + (sums[i] === best ? " ◀" : ""));
      mark.title = "✓ the right one, ◀ the likeliest";
      const text = make("td", "left text", choice.context ? choice.context + choice.text : choice.text);
      const bar = make("td", "weight"), fill = make("i");
      fill.style.width = `${100 * Math.exp(sums[i] - best)}%`;
      fill.title = "likelihood, relative to the likeliest";
      bar.append(fill);
      line.append(mark, text, make("td", "", choice.ll === null ? "" : choice.ll.toFixed(3)), bar);
      table.append(line);
    });
    return table;
  }

  function refresh() {
    const filter = by("filter").value, want = by("show").value;
    const words = by("search").value.toLowerCase();
    const mine = task().rows.filter(r => r.filter === filter);
    rows = mine.filter(r => (want === "all" || (want === "right") === is_right(r)) &&
      (!words || [r.context, r.response, r.target, ...(r.choices || []).map(c => c.text)]
        .some(t => (t || "").toLowerCase().includes(words))));
    const list = by("list");
    list.replaceChildren(...rows.map((r, i) => {
      const item = make("li", is_right(r) ? "right" : "wrong", r.id);
      item.onclick = () => show(i);
      return item;
    }));
    const files = new Set(task().rows.map(r => r.filter)).size || 1;
    const all = Math.round(task().total / files);
    by("count").textContent = `${rows.length} of ${mine.length}` +
      (mine.length < all ? ` on this page; samples_${task().task}.jsonl has ${all}` : "");
    show(0);
  }

  function choose_task() {
    const filters = [...new Set(task().rows.map(r => r.filter))];
    by("filter").replaceChildren(...filters.map(f => make("option", "", f)));
    by("filter").parentElement.hidden = filters.length < 2;
    refresh();
  }

  by("task").append(...tasks.map(t => make("option", "", t.task)));
  by("task").onchange = choose_task;
  for (const id of ["filter", "show"]) by(id).onchange = refresh;
  by("search").oninput = refresh;
  by("list").onkeydown = e => {
    const step = {ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1}[e.key];
    if (step) { e.preventDefault(); show(current + step); }
  };
  document.querySelectorAll(".row[data-task]").forEach(row => row.onclick = () => {
    const at = tasks.findIndex(t => t.task === row.dataset.task);
    if (at < 0) return;
    by("task").selectedIndex = at;
    choose_task();
    by("browser").scrollIntoView();
  });
  document.querySelectorAll("select.order").forEach(choice => choice.onchange = () => {
    const bars = choice.closest("section").querySelector(".bars");
    const lines = [...bars.querySelectorAll(".row")], end = bars.querySelector(".row ~ span");
    const order = choice.value;
    lines.sort((a, b) => order === "name" ? a.dataset.name.localeCompare(b.dataset.name)
      : order === "score" ? b.dataset.value - a.dataset.value : a.dataset.place - b.dataset.place);
    lines.forEach(line => bars.insertBefore(line, end));
  });
  choose_task();
})();
)js";

}  // namespace

const char* const kBrowserStyle = R"(
.soft { color: var(--soft); }
.controls { display: flex; flex-wrap: wrap; gap: .4rem 1.1rem; align-items: center; margin-bottom: .6rem; }
.controls label { font-size: 13px; color: var(--soft); }
select, input { font: inherit; font-size: 13px; color: inherit; background: var(--groove);
  border: 1px solid var(--line); border-radius: 4px; padding: .18rem .4rem; max-width: 22rem; }
.panes { display: grid; grid-template-columns: 5.5rem 1fr; gap: 1rem; border: 1px solid var(--line);
  border-radius: 6px; height: 36rem; }
.panes ol { list-style: none; margin: 0; padding: .3rem 0; overflow-y: auto; border-right: 1px solid var(--line);
  font-size: 13px; font-variant-numeric: tabular-nums; }
.panes li { padding: .05rem .6rem; cursor: pointer; border-left: 4px solid var(--s1); margin-bottom: 1px; }
.panes li.right { border-left-color: var(--s2); } .panes li.current { background: var(--line); }
.panes article { overflow: auto; padding: .6rem 1rem 1rem 0; min-width: 0; }
article h3 { margin: 0; font-size: 1rem; } article h4 { margin: .9rem 0 .25rem; font-size: 13px; color: var(--soft); }
.badge { font-size: 12px; font-weight: 600; margin-left: .7rem; padding: .1rem .5rem; border-radius: 9px;
  color: var(--paper); background: var(--soft); }
.badge.right { background: var(--s2); } .badge.wrong { background: var(--s1); }
article .text { font: 13px/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
article div.text { background: var(--groove); border-radius: 4px; padding: .5rem .7rem; max-height: 19rem;
  overflow-y: auto; }
.choices { width: 100%; } .choices td { white-space: nowrap; vertical-align: top; }
.choices td.text { white-space: pre-wrap; width: 70%; } .choices tr.gold td { font-weight: 600; }
.choices .weight { width: 8rem; } .choices .weight i { display: block; height: .6rem; margin-top: .3rem;
  background: var(--s0); border-radius: 2px; min-width: 1px; }
)";

std::string BrowserHtml(const std::string& data) {
  return std::string(kMarkup) + "<script type=\"application/json\" id=\"samples\">" + data +
         "</script>\n<script>" + kScript + "</script>\n";
}

}  // namespace nemo
