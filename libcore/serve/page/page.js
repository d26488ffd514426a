'use strict';
// The page of nemo-generate --serve: a prompt to POST /v1/completions, the answer as it grows, the
// probability of each token. Shares nothing with other sites: all is in this file.

const byId = (id) => document.getElementById(id);
const prompt = byId('prompt'), output = byId('output'), tip = byId('tip');
const SETTINGS = ['temperature', 'top-p', 'top-k', 'tokens', 'ends', 'seed', 'colours', 'shape'];
// The web demo of NeMo has these.
const PRESETS = {
  'K1-Greedy': [1.0, 0.9, 1],
  'K50': [0.75, 0.95, 50],
  'Creative': [0.85, 0.95, 50],
  'Precise': [0.1, 0.95, 50],
  'Original': [0.9, 0.95, 50],
  'Nucleus9': [0.8, 0.9, 10000],
};
const STATE_EVERY_MS = 4000;
const SHOWN_ALTERNATIVES = 5;
const FULL_COLOUR_NATS = 6;  // a probability of 0.25 %

let running = null;  // the AbortController of the answer that is being written
let answer = '';     // its text
let asked = '';      // and its prompt

function isNarrow() { return matchMedia('(max-width: 50rem)').matches; }

// ---- talking to the server ---------------------------------------------------------------------

function headers(more) {
  const key = sessionStorage.getItem('key');
  return key ? {...more, 'Authorization': `Bearer ${key}`} : more;
}

/** Why a request failed, in words. */
async function problemOf(response) {
  let text = '';
  try {
    const body = await response.json();
    text = body.error ? body.error.message : body.message;
  } catch { /* not JSON: the status has to do */ }
  const wait = response.headers.get('Retry-After');
  return (text || `The server answered ${response.status} ${response.statusText}.`) +
    (wait ? ` Try again in ${wait} s.` : '');
}

/** The events of a stream: objects, up to [DONE]. */
async function* eventsOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const {value, done} = await reader.read();
    if (done) throw new Error('The server ended the answer too early.');
    text += value;
    let end;
    while ((end = text.indexOf('\n\n')) >= 0) {
      const data = text.slice(0, end).replace(/^data: /, '');
      text = text.slice(end + 2);
      if (data === '[DONE]') return;
      const event = JSON.parse(data);
      if (event.error) throw new Error(event.error.message);
      yield event;
    }
  }
}

function askForKey(message) {
  byId('key-form').hidden = false;
  showProblem(message);
  byId('key').focus();
}

// ---- the request -------------------------------------------------------------------------------

function promptText() {
  if (byId('shape').value === 'text') return prompt.value;
  return `<extra_id_0>System\n\n<extra_id_1>User\n${prompt.value}\n<extra_id_1>Assistant\n`;
}

function requestBody() {
  const stops = byId('ends').value.split(',').map((s) => s.trim()).filter((s) => s !== '');
  if (byId('shape').value === 'instruction' && !stops.includes('<extra_id_1>')) stops.push('<extra_id_1>');
  const body = {
    prompt: promptText(),
    max_tokens: byId('tokens').valueAsNumber,
    temperature: byId('temperature').valueAsNumber,
    top_p: byId('top-p').valueAsNumber,
    top_k: byId('top-k').valueAsNumber,
    stream: true,
    stream_options: {include_usage: true},
  };
  if (stops.length > 0) body.stop = stops;
  if (byId('seed').value !== '') body.seed = byId('seed').valueAsNumber;
  if (byId('colours').checked) body.logprobs = SHOWN_ALTERNATIVES;
  return body;
}

async function generate() {
  if (running) return;
  begin();
  const started = performance.now();
  const seen = {tokens: 0, first: 0, logprob: 0, noted: 0, reason: ''};
  try {
    const response = await fetch('v1/completions', {
      method: 'POST',
      headers: headers({'Content-Type': 'application/json'}),
      body: JSON.stringify(requestBody()),
      signal: running.signal,
    });
    if (response.status === 401) return askForKey('The server wants an API key, or another one than this.');
    if (!response.ok) return showProblem(await problemOf(response));
    for await (const event of eventsOf(response)) take(event, seen, started);
    announce(answer);
  } catch (error) {
    if (error.name !== 'AbortError') showProblem(error instanceof TypeError ? 'The server cannot be reached.' : error.message);
    seen.reason = error.name === 'AbortError' ? 'stopped' : 'broken';
  } finally {
    end(seen, performance.now() - started);
  }
}

function take(event, seen, started) {
  if (event.usage) seen.tokens = event.usage.completion_tokens;
  for (const choice of event.choices) {
    if (choice.finish_reason) seen.reason = choice.finish_reason;
    if (choice.text !== '' && seen.first === 0) seen.first = performance.now() - started;
    append(choice, seen);
  }
}

function begin() {
  running = new AbortController();
  asked = prompt.value;
  answer = '';
  output.replaceChildren();
  output.classList.add('working');
  output.removeAttribute('role');
  for (const id of ['problem', 'figures', 'legend']) byId(id).hidden = true;
  setButtons();
  byId('stop').focus({preventScroll: true});
  if (isNarrow()) output.scrollIntoView({block: 'nearest'});
  announce('Generating');
}

function end(seen, elapsed) {
  running = null;
  output.classList.remove('working');
  const hadFocus = document.activeElement === byId('stop') || document.activeElement === document.body;
  setButtons();
  if (hadFocus && byId('key-form').hidden) byId('generate').focus({preventScroll: true});
  if (seen.first > 0) showFigures(seen, elapsed);
  if (answer === '' && byId('problem').hidden) note('The model had nothing to add.');
  tabToTokens();
}

// ---- the answer --------------------------------------------------------------------------------

/** The text of each token of a piece: text offsets count characters, not UTF-16 units. */
function textsOf(choice) {
  const characters = Array.from(choice.text);
  const offsets = choice.logprobs.text_offset;
  return offsets.map((begin, i) => {
    const end = i + 1 < offsets.length ? offsets[i + 1] - offsets[0] : characters.length;
    return characters.slice(begin - offsets[0], end).join('');
  });
}

function append(choice, seen) {
  const atEnd = output.scrollHeight - output.scrollTop - output.clientHeight < 40;
  answer += choice.text;
  const noted = choice.logprobs && choice.logprobs.tokens.length > 0;
  if (noted) {
    textsOf(choice).forEach((text, i) => {
      seen.logprob += choice.logprobs.token_logprobs[i];
      seen.noted += 1;
      if (text !== '') output.append(tokenSpan(text, choice.logprobs, i));
    });
    byId('legend').hidden = false;
  } else if (choice.text !== '') {
    output.append(choice.text);
  }
  if (atEnd) output.scrollTop = output.scrollHeight;
}

function tokenSpan(text, logprobs, i) {
  const span = document.createElement('span');
  const p = Math.exp(logprobs.token_logprobs[i]);
  const others = Object.entries(logprobs.top_logprobs[i]).sort((a, b) => b[1] - a[1]);
  span.className = p < 0.01 ? 'token odd' : 'token';
  span.style.setProperty('--surprise', Math.min(1, -logprobs.token_logprobs[i] / FULL_COLOUR_NATS).toFixed(3));
  span.textContent = text;
  span.role = 'option';
  span.tabIndex = -1;
  span.facts = {name: logprobs.tokens[i], p, others};
  span.ariaLabel = `${visible(text)}, ${percent(p)}. Likeliest: ` +
    others.map(([name, l]) => `${visible(name)} ${percent(Math.exp(l))}`).join(', ');
  return span;
}

function percent(p) {
  return p > 0.9995 ? '100 %' : p >= 0.0995 ? `${(100 * p).toFixed(1)} %` : `${Number((100 * p).toPrecision(2))} %`;
}

/** Blanks and newlines as something one can see. */
function visible(text) {
  return text.replaceAll('\n', '\u21b5').replaceAll('\t', '\u21e5').replaceAll(' ', '\u2423');
}

function showFigures(seen, elapsed) {
  const rate = seen.tokens > 1 ? (seen.tokens - 1) / ((elapsed - seen.first) / 1000) : 0;
  const parts = [];
  if (seen.tokens > 0) parts.push(`${seen.tokens} tokens in ${(elapsed / 1000).toFixed(1)} s`);
  parts.push(`first after ${Math.round(seen.first)} ms`);
  if (rate > 0) parts.push(`then ${rate.toFixed(1)} tokens/s`);
  if (seen.noted > 0) parts.push(`perplexity ${Math.exp(-seen.logprob / seen.noted).toFixed(2)}`);
  const reasons = {length: 'ended at the limit', stop: 'ended by itself', stopped: 'stopped by you', broken: 'broken off'};
  parts.push(reasons[seen.reason] || seen.reason);
  byId('figures').textContent = parts.join(' · ');
  byId('figures').hidden = false;
}

function note(text) {
  const span = document.createElement('span');
  span.className = 'empty';
  span.textContent = text;
  output.append(span);
}

function showProblem(text) {
  byId('problem').textContent = text;
  byId('problem').hidden = false;
}

function announce(text) { byId('live').textContent = text; }

function setButtons() {
  byId('generate').disabled = running !== null;
  byId('stop').disabled = running === null;
  for (const id of ['copy', 'continue']) byId(id).disabled = running !== null || answer === '';
}

// ---- the tooltip: under the pointer, or with the keyboard, where the output is one stop of Tab ------

function tabToTokens() {
  const first = output.querySelector('.token');
  if (!first) return;
  output.role = 'listbox';
  output.ariaLabel = 'Tokens of the answer, with their probabilities';
  first.tabIndex = 0;
}

function showTip(span) {
  const {p, others, name} = span.facts;
  const table = document.createElement('table');
  table.createCaption().textContent = `${percent(p)} · log-probability ${Math.log(p).toFixed(3)}`;
  for (const [other, logprob] of others) {
    const row = table.insertRow();
    const head = document.createElement('th');
    head.scope = 'row';
    head.textContent = visible(other);
    row.append(head);
    row.insertCell().textContent = percent(Math.exp(logprob));
    if (other === name) row.className = 'chosen';
  }
  tip.replaceChildren(table);
  tip.hidden = false;
  const at = span.getClientRects()[0], box = tip.getBoundingClientRect();
  const below = at.bottom + 6 + box.height < innerHeight;
  tip.style.left = `${Math.max(8, Math.min(at.left, innerWidth - box.width - 8))}px`;
  tip.style.top = `${below ? at.bottom + 6 : Math.max(8, at.top - box.height - 6)}px`;
}

function hideTip() { tip.hidden = true; }

function moveFocus(from, step) {
  const tokens = [...output.querySelectorAll('.token')];
  const at = step === 'Home' ? 0 : step === 'End' ? tokens.length - 1 : tokens.indexOf(from) + step;
  const to = tokens[Math.max(0, Math.min(tokens.length - 1, at))];
  from.tabIndex = -1;
  to.tabIndex = 0;
  to.focus();
}

const STEPS = {ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1, PageDown: 20, PageUp: -20, Home: 'Home', End: 'End'};

output.addEventListener('keydown', (event) => {
  if (!event.target.classList.contains('token') || !(event.key in STEPS)) return;
  event.preventDefault();
  moveFocus(event.target, STEPS[event.key]);
});
output.addEventListener('focusin', (event) => { if (event.target.facts) showTip(event.target); });
output.addEventListener('focusout', hideTip);
output.addEventListener('pointerover', (event) => { if (event.target.facts) showTip(event.target); });
output.addEventListener('pointerout', hideTip);
addEventListener('scroll', hideTip, {passive: true, capture: true});

// ---- settings ----------------------------------------------------------------------------------

function buildPresets() {
  for (const name of [...Object.keys(PRESETS), 'Custom']) {
    const label = document.createElement('label'), text = document.createElement('span');
    const radio = Object.assign(document.createElement('input'), {type: 'radio', name: 'preset', value: name});
    text.textContent = name;
    label.append(radio, text);
    byId('presets').append(label);
  }
}

function usePreset(name) {
  const values = PRESETS[name];
  if (!values) return;
  ['temperature', 'top-p', 'top-k'].forEach((id, i) => { byId(id).value = values[i]; });
  showSettings();
}

/** The numbers beside the sliders, and the preset that has these values. */
function showSettings() {
  for (const id of ['temperature', 'top-p']) byId(`${id}-out`).textContent = byId(id).valueAsNumber.toFixed(2);
  const now = ['temperature', 'top-p', 'top-k'].map((id) => byId(id).valueAsNumber);
  const name = Object.keys(PRESETS).find((n) => PRESETS[n].every((v, i) => Math.abs(v - now[i]) < 1e-9));
  document.querySelector(`[name=preset][value="${name || 'Custom'}"]`).checked = true;
}

function keepSettings() {
  const kept = Object.fromEntries(SETTINGS.map((id) => [id, byId(id).type === 'checkbox' ? byId(id).checked : byId(id).value]));
  localStorage.setItem('settings', JSON.stringify(kept));
}

function restoreSettings() {
  usePreset('K50');
  let kept = {};
  try { kept = JSON.parse(localStorage.getItem('settings')) || {}; } catch { /* as if there were none */ }
  for (const id of SETTINGS.filter((s) => s in kept)) {
    if (byId(id).type === 'checkbox') byId(id).checked = kept[id]; else byId(id).value = kept[id];
  }
  showSettings();
}

// ---- the state of the server -----------------------------------------------------------------------

/** {name: value} of Prometheus' text form, sums over labels. */
function readMetrics(text) {
  const found = {};
  for (const line of text.split('\n')) {
    const match = line.match(/^([a-z_]+)(?:\{[^}]*\})? ([-+0-9.eE]+)/);
    if (match) found[match[1]] = (found[match[1]] || 0) + Number(match[2]);
  }
  return found;
}

async function showState() {
  let state = 'down', text = 'The server cannot be reached';
  try {
    const health = await fetch('health', {headers: headers({})});
    if (health.status === 401) {
      [state, text] = ['unknown', 'Needs an API key'];
      byId('key-form').hidden = false;
    } else if (health.ok) {
      [state, text] = await loadOf();
    } else {
      text = 'The server is not ready';
    }
  } catch { /* what it was before */ }
  byId('state').dataset.state = state;
  byId('state-text').textContent = text;
}

async function loadOf() {
  const response = await fetch('metrics', {headers: headers({})});
  if (!response.ok) return ['ready', 'Ready'];
  const metrics = readMetrics(await response.text());
  const active = metrics.nemo_running || 0, waiting = metrics.nemo_queue_length || 0;
  if (active + waiting === 0) return ['ready', 'Ready'];
  return ['busy', `${active} running` + (waiting > 0 ? `, ${waiting} waiting` : '')];
}

async function showModel() {
  try {
    const response = await fetch('v1/models', {headers: headers({})});
    if (response.status === 401) byId('key-form').hidden = false;
    if (!response.ok) return;
    const model = (await response.json()).data[0];
    byId('model').textContent = model.id;
    document.title = `${model.id} – Nemotron`;
  } catch { /* the state says so */ }
}

// ---- all together ------------------------------------------------------------------------------

byId('form').addEventListener('submit', (event) => {
  event.preventDefault();
  if (['top-k', 'tokens', 'seed'].every((id) => byId(id).reportValidity())) generate();
});
byId('stop').addEventListener('click', () => running && running.abort());
byId('copy').addEventListener('click', async () => {
  await navigator.clipboard.writeText(answer);
  announce('Copied');
});
byId('continue').addEventListener('click', () => {
  prompt.value = asked + answer;
  generate();
});
byId('key-form').addEventListener('submit', (event) => {
  event.preventDefault();
  sessionStorage.setItem('key', byId('key').value);
  byId('key-form').hidden = true;
  byId('problem').hidden = true;
  showModel();
  showState();
  prompt.focus();
});
byId('presets').addEventListener('change', (event) => { usePreset(event.target.value); keepSettings(); });
for (const id of SETTINGS) byId(id).addEventListener('input', () => { showSettings(); keepSettings(); });
addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) byId('form').requestSubmit();
  if (event.key !== 'Escape') return;
  if (tip.hidden) { if (running) running.abort(); } else { hideTip(); }
});
addEventListener('visibilitychange', () => { if (!document.hidden) showState(); });

buildPresets();
restoreSettings();
if (isNarrow()) byId('settings').open = false;
showModel();
showState();
setInterval(() => { if (!document.hidden) showState(); }, STATE_EVERY_MS);
prompt.focus({preventScroll: true});
