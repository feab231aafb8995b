"""The report of a load test: report_page.py FILE TEXT ... Says "all is well", or dies with what is not.

Each TEXT has to be read in it, with and without its script."""

import pathlib
import sys

from browser import PHONE, browser, drawn, fits, page_at

url = pathlib.Path(sys.argv[1]).resolve().as_uri()


def reads(page):
    body = page.locator("body").text_content()
    for text in sys.argv[2:]:
        assert text in body, f"{text!r} is not in the report"
    fits(page)


with browser() as chromium:
    for options in ({}, {"viewport": PHONE}, {"viewport": PHONE, "color_scheme": "dark"}):
        with page_at(chromium, url, **options) as page:
            plots = page.locator("figure.plot").count()
            assert plots > 0
            drawn(page, plots)
            reads(page)
            # Not by the mouse: on a slow machine the page may still scroll under it.
            page.locator("figure.plot svg").first.dispatch_event("pointermove", {"clientX": 200, "clientY": 0})
            page.wait_for_selector("figure.plot .legend b")
    with page_at(chromium, url, viewport={"width": 760, "height": 1000}) as page:
        page.emulate_media(media="print")
        reads(page)
    with page_at(chromium, url, java_script_enabled=False) as page:
        reads(page)

print("all is well")
