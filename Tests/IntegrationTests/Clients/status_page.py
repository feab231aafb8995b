"""The live page of a sidecar: status_page.py SOCKET URL PID. Says "all is well", or dies with what is not.

The group `said` has the key as its value."""

import os
import signal
import sys

from redis import Redis

from browser import PHONE, browser, drawn, fits, page_at

cache = Redis(unix_socket_path=sys.argv[1], decode_responses=True)
url, process = sys.argv[2], int(sys.argv[3])
hostile = "said:<img src=x onerror=hurt()><script>hurt()</script>" + "\u202e" + "long" * 60


def shown(page, selector, text):
    page.wait_for_function(
        "([selector, text]) => document.querySelector(selector).textContent.includes(text)", arg=[selector, text]
    )


def ask(times):
    pipeline = cache.pipeline(transaction=False)
    for _ in range(times):
        pipeline.get(hostile)
    pipeline.execute()


with browser() as chromium:
    with page_at(chromium, url) as page:
        shown(page, "#state", "ready")
        shown(page, "#tiles", "0 since the start")
        ask(20_000)
        shown(page, "#tiles", "20,000 since the start")
        shown(page, "#tiles", "20,000 gets came to 1 loads")
        shown(page, "#groups", "said")
        shown(page, "#keys", hostile[:100])
        assert page.locator("#keys img, #keys script").count() == 0
        ask(2)
        shown(page, "#tiles", "20,002 since the start")
        shown(page, "#database", "ready")
        drawn(page, 4)
        fits(page)

        # It stands still, as a machine that swaps does.
        os.kill(process, signal.SIGSTOP)
        try:
            shown(page, "#state", "away")
            shown(page, "#trouble", "Nothing was heard")
        finally:
            os.kill(process, signal.SIGCONT)
        shown(page, "#state", "ready")
        assert page.locator("#trouble").is_hidden()

    for scheme in ("light", "dark"):
        with page_at(chromium, url, viewport=PHONE, color_scheme=scheme) as page:
            shown(page, "#keys", hostile[:100])
            cache.get(f"said:{scheme}")  # for the plots of what happens meanwhile
            drawn(page, 4)
            fits(page)

    # Refused twice, and then let in: a browser gives up at the first.
    refusals = []

    def refuse(route):
        refusals.append(route.request.url)
        route.fulfill(status=503) if len(refusals) <= 2 else route.continue_()

    with page_at(chromium, url, lambda page: page.route("**/events", refuse), expected=["503"]) as page:
        shown(page, "#state", "away")
        shown(page, "#state", "ready")

print("all is well")
