/// The report of a load test as a page: tables as HTML, and plots that a script draws from the same figures as JSON.
package enum ReportPage {
    /// - Parameters:
    ///   - title: The page's title.
    ///   - body: What is to be read, with a `<figure data-plot="NAME" data-scenario="INDEX">` for each plot.
    ///   - json: The figures, which the plots are drawn from.
    /// - Returns: One page, which needs nothing from elsewhere.
    package static func html(title: String, body: HTML, json: String) -> String {
        Page.fill(
            PackageResources.report_html,
            [
                "title": "\(title)",
                "style": Page.part(PackageResources.style_css, PackageResources.report_css),
                "body": body,
                // In a string of JSON this is the same character, and no text in it can end the script.
                "json": HTML(trusted: json.replacing("<", with: "\\u003c")),
                "script": Page.part(
                    PackageResources.format_js, PackageResources.plot_js, PackageResources.report_js),
            ])
    }
}
