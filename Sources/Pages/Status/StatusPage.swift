/// The live page of a sidecar. It needs nothing but `/events` of its own origin, and shows what comes from there as text only.
package enum StatusPage {
    /// The page.
    package static let html = Page.fill(
        PackageResources.status_html,
        [
            "style": Page.part(PackageResources.style_css, PackageResources.status_css),
            "script": Page.part(
                PackageResources.format_js, PackageResources.plot_js, PackageResources.timeline_js,
                PackageResources.status_js),
        ])
}
