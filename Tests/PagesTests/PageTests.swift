import Testing

@testable import Pages

/// Pages out of their parts, and that nothing in them can be more than it is.
struct PageTests {
    @Test func `what is interpolated into HTML is text`() {
        let hostile = #"<img src=x onerror='a()'> & "b""#
        let html: HTML = "<p title=\"\(hostile)\">\(hostile)</p>"
        let escaped = "&lt;img src=x onerror=&#39;a()&#39;&gt; &amp; &quot;b&quot;"
        #expect(html.text == "<p title=\"\(escaped)\">\(escaped)</p>")
    }

    @Test func `HTML that is interpolated into HTML stays as it is`() {
        let row: HTML = "<tr><td>\("<")</td></tr>"
        let html: HTML = "<table>\([row, row])\(row)</table> \(3)"
        #expect(html.text == "<table>" + String(repeating: "<tr><td>&lt;</td></tr>", count: 3) + "</table> 3")
    }

    @Test func `what was filled into a page is not filled in again`() {
        let page = Page.fill(Array("{{a}}-{{b}}-{{none}}{".utf8), ["a": "{{b}}", "b": "{{a}}", "no": "c"])
        #expect(page == "{{b}}-{{a}}-{")
    }

    @Test func `no figure ends the script in which it stands`() {
        let page = ReportPage.html(title: "</title>", body: "", json: #"{"sql": "</script><script>a()</script><!--"}"#)
        #expect(page.contains(#"{"sql": "\u003c/script>\u003cscript>a()\u003c/script>\u003c!--"}"#))
        #expect(page.contains("<title>&lt;/title&gt;</title>"), "\(page.prefix(500))")
    }

    private let pages = ["live": StatusPage.html, "report": ReportPage.html(title: "a", body: "b", json: "{}")]

    @Test(arguments: ["live", "report"])
    func `a page has all its parts and names no other place`(_ name: String) throws {
        let page = try #require(pages[name])
        #expect(page.hasPrefix("<!doctype html>"))
        #expect(page.contains("class Plot") && page.contains("--paper"))
        #expect(!page.contains("{{"))
        let elsewhere = ["@import", "url(", " src=", "https://", "//cdn"].filter(page.contains)
        #expect(elsewhere.isEmpty)
        #expect(page.split(separator: "http://").dropFirst().allSatisfy { $0.hasPrefix("www.w3.org/2000/svg\"") })
    }

    @Test(arguments: ["live", "report"])
    func `a page's script never takes text for HTML`(_ name: String) throws {
        let page = try #require(pages[name])
        let ways = ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("]
        #expect(ways.filter(page.contains).isEmpty)
    }
}
