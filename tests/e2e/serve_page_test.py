"""The server's page as people use it: a prompt is typed into a headless Chromium, and Shakespeare appears."""
import os

import chromium
from common import Context, check, skip
from server import Server

CTRL, ENTER, RIGHT, HOME, ESCAPE = 2, 13, 39, 36, 27
VISIBLE = '!document.getElementById("{}").hidden'


def url_of(server):
    return f'http://127.0.0.1:{server.port}'


def text_of(page, element):
    return page.evaluate(f'document.getElementById("{element}").textContent')


def set_value(page, element, value):
    page.evaluate(f'(e => {{ e.value = "{value}"; e.dispatchEvent(new Event("input", {{bubbles: true}})); }})'
                  f'(document.getElementById("{element}"))')


def open_page(page, server):
    page.open(url_of(server) + '/')
    page.wait('document.getElementById("model").textContent !== ""')
    page.wait('document.getElementById("state").dataset.state === "ready"')


def generates_what_the_api_says(page, server):
    """Type, generate with the keyboard, and compare with the same request by hand."""
    prompt = 'ROMEO:\nGood morrow,'
    check(page.evaluate('document.activeElement.id') == 'prompt', 'the prompt has no focus at the beginning')
    set_value(page, 'tokens', 40)
    page.evaluate('document.querySelector("[name=preset][value=K1-Greedy]").click()')
    check(text_of(page, 'temperature-out') == '1.00', 'the preset did not move the slider')
    page.evaluate('document.getElementById("prompt").focus()')
    page.type(prompt)
    page.press('Enter', CTRL, windowsVirtualKeyCode=ENTER)
    page.wait(VISIBLE.format('figures'))
    shown = page.evaluate('document.getElementById("output").innerText')
    api = server.complete(prompt=prompt, max_tokens=40, top_k=1)
    check(shown.strip() == api['choices'][0]['text'].strip(), f'{shown!r} is not {api["choices"][0]["text"]!r}')
    check('40 tokens' in text_of(page, 'figures'), text_of(page, 'figures'))
    check(text_of(page, 'live').strip() == shown.strip(), 'a screen reader is not told the answer')


def shows_alternatives_to_the_keyboard(page):
    check(page.evaluate('document.querySelectorAll(".token").length') > 20, 'no coloured tokens')
    page.evaluate('document.querySelector(".token[tabindex=\'0\']").focus()')
    page.press('ArrowRight', windowsVirtualKeyCode=RIGHT)
    check(page.evaluate('document.activeElement === document.querySelectorAll(".token")[1]'), 'the arrow key did not move')
    check('%' in page.evaluate('document.activeElement.ariaLabel'), 'a token says nothing to a screen reader')
    check(page.evaluate('document.querySelectorAll("#tip tr").length') >= 5, 'no alternatives in the tooltip')
    page.press('Escape', windowsVirtualKeyCode=ESCAPE)
    check(page.evaluate('document.getElementById("tip").hidden'), 'Escape left the tooltip')


def stops(page, server):
    """A long answer ends with the button, and the server gives it up."""
    set_value(page, 'tokens', 900)
    page.evaluate('document.querySelector("[name=preset][value=K50]").click()')
    page.click('#generate')
    page.wait('document.querySelectorAll(".token").length > 5')
    page.click('#stop')
    page.wait(VISIBLE.format('figures'))
    check('stopped by you' in text_of(page, 'figures') or 'ended' in text_of(page, 'figures'), text_of(page, 'figures'))
    page.wait('document.getElementById("state").dataset.state === "ready"')


def says_what_is_wrong(page):
    set_value(page, 'tokens', 5000)
    page.click('#generate')
    page.wait(VISIBLE.format('problem'))
    check('maximum context length' in text_of(page, 'problem'), text_of(page, 'problem'))
    errors = [e for e in page.errors if '400' not in e]  # the browser notes the answer, as it should
    page.errors.clear()
    check(not errors, errors)


def fits_a_phone(page):
    page.resize(360, 740, 2, True)
    page.wait('document.documentElement.scrollWidth <= 360')
    small = page.evaluate('[...document.querySelectorAll("button")].filter(b => b.offsetParent && '
                          'b.getBoundingClientRect().height < 36).map(b => b.id)')
    check(small == [], f'too small for a finger: {small}')


def asks_for_the_key(context, page):
    path = context.path('keys')
    with open(path, 'w') as f:
        f.write('sesame\n')
    with Server(context, '--api-key-file', path) as server:
        # The browser asks for a user and a password, which is the key; then the page needs no other.
        page.open(url_of(server).replace('://', '://x:sesame@') + '/')
        page.open(url_of(server) + '/')
        page.wait('document.getElementById("model").textContent !== ""')
        check(page.evaluate('document.getElementById("key-form").hidden'), 'the page asks for the key once more')


def main():
    with Context() as context:
        binary = chromium.find()
        if binary is None:
            skip('no chromium')
        with chromium.Browser(binary) as page:
            with Server(context) as server:
                open_page(page, server)
                generates_what_the_api_says(page, server)
                shows_alternatives_to_the_keyboard(page)
                check(not page.errors, page.errors)
                if 'NEMO_SCREENSHOT' in os.environ:
                    page.screenshot(os.environ['NEMO_SCREENSHOT'])
                stops(page, server)
                says_what_is_wrong(page)
                fits_a_phone(page)
            asks_for_the_key(context, page)


main()
