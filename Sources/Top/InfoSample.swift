import Groundwork

/// What a sidecar's `INFO` said at one moment.
struct InfoSample: Sendable {
    /// One group's figures by their names.
    struct Group: Sendable {
        let name: String
        private let figures: [String: Int]

        init(_ name: String, _ text: Substring) {
            self.name = name
            figures = Dictionary(
                text.split(separator: ",").compactMap { pair in
                    let parts = pair.split(separator: "=", maxSplits: 1)
                    return parts.count == 2 ? Int(parts[1]).map { (String(parts[0]), $0) } : nil
                }, uniquingKeysWith: { first, _ in first })
        }

        /// A figure; 0 when there is none of the name.
        subscript(_ name: String) -> Int { figures[name] ?? 0 }
    }

    /// When it was asked for.
    let time: Instant
    /// In the settings' order.
    private(set) var groups: [Group] = []
    private var lines: [String: String] = [:]

    /// Reads the text that `INFO` answers.
    init(_ text: String, at time: Instant) {
        self.time = time
        for line in text.split(whereSeparator: \.isNewline) where !line.hasPrefix("#") {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { continue }
            if parts[0].hasPrefix("group_") {
                groups.append(Group(String(parts[0].dropFirst("group_".count)), parts[1]))
            } else {
                lines[String(parts[0])] = String(parts[1])
            }
        }
    }

    /// The text of a line; nil when there is none, or it is empty.
    func text(_ name: String) -> String? {
        lines[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// A whole number; 0 when there is none.
    func count(_ name: String) -> Int { lines[name].flatMap { Int($0) } ?? 0 }

    /// A number with a fraction; 0 when there is none.
    func number(_ name: String) -> Double { lines[name].flatMap { Double($0) } ?? 0 }

    /// A figure of all groups together.
    func sum(_ figure: String) -> Int { groups.reduce(0) { $0 + $1[figure] } }
}
