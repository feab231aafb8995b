"""Debian's Chromium without a screen, for the programs that look at pages."""

import contextlib
import os

from playwright.sync_api import sync_playwright

PATIENCE = 120_000  # milliseconds; machines may be slow
PHONE = {"width": 360, "height": 740}


@contextlib.contextmanager
def browser():
    # Chromium has no sandbox for root, who runs the tests in containers.
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        yield chromium
        chromium.close()


@contextlib.contextmanager
def page_at(chromium, url, prepare=lambda page: None, expected=(), **options):
    """A page of a browser of its own, `prepare`d before it goes there. At the end it must have asked nobody but `url` for
    anything, and have complained of nothing but what has one of the `expected` texts in it."""
    context = chromium.new_context(**options)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.add_init_script("window.hurt = () => { window.isHurt = true; }")
    complaints, requests = [], []
    page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    prepare(page)
    page.goto(url)
    try:
        yield page
    except Exception as error:
        drawn = page.evaluate("[...document.querySelectorAll('path.line')].map(path => path.getAttribute('d'))")
        raise AssertionError([url, options, complaints, drawn, page.locator("body").inner_text()]) from error
    assert not page.evaluate("window.isHurt"), "a text was executed"
    unexpected = [complaint for complaint in complaints if not any(text in complaint for text in expected)]
    assert not unexpected, unexpected
    assert requests and all(request.startswith(url) for request in requests), requests
    context.close()


def fits(page):
    """Nothing has to be moved sideways but what moves in a frame of its own."""
    width, room = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width <= room, f"the page is {width} pixels wide, and there is room for {room}"


def drawn(page, count):
    """So many plots, each with a line in it."""
    page.wait_for_function(
        "count => document.querySelectorAll('figure.plot').length === count"
        " && [...document.querySelectorAll('figure.plot')].every(figure => figure.querySelector('path.line[d^=M]'))",
        arg=count,
    )
