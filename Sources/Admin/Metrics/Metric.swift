/// One metric in Prometheus' sense: what it is called and means, and what it is at a moment.
package struct Metric: Sendable {
    /// Prometheus' types.
    package enum Kind: String, Sendable {
        /// Only grows, from 0 at the start of the process.
        case counter
        /// Goes up and down.
        case gauge
        /// Counts in steps, each with those below it.
        case histogram
    }

    /// One of those that a label tells apart, and its figure.
    struct Part<Subject>: Sendable {
        let value: String
        let figure: @Sendable (Subject) -> Int

        init(_ value: String, _ figure: @escaping @Sendable (Subject) -> Int) {
            self.value = value
            self.figure = figure
        }
    }

    /// One value of it.
    struct Sample: Sendable {
        /// What is behind the metric's name: nothing, or for a histogram `_bucket`, `_sum` and `_count`.
        var suffix = ""
        /// One for each of the metric's labels, and for a bucket `le`.
        var labels: [(name: String, value: String)]
        var value: Double
    }

    /// By Prometheus' conventions: a prefix, the unit in plural, `_total` behind a counter.
    package let name: String
    package let kind: Kind
    /// The labels' names, each with what it may be.
    package let labels: [(name: String, values: String)]
    /// One sentence.
    package let help: String
    let samples: @Sendable (SidecarStatistics) -> [Sample]

    /// A metric with one value; none while there is no figure.
    static func single(
        _ kind: Kind, _ name: String, _ help: String, _ value: @escaping @Sendable (SidecarStatistics) -> Double?
    ) -> Metric {
        Metric(name: name, kind: kind, labels: [], help: help) { statistics in
            value(statistics).map { [Sample(labels: [], value: $0)] } ?? []
        }
    }

    /// The same for a whole number.
    static func single(
        _ kind: Kind, _ name: String, _ help: String, of value: @escaping @Sendable (SidecarStatistics) -> Int?
    ) -> Metric {
        single(kind, name, help) { value($0).map(Double.init) }
    }

    /// A metric with one value for each group.
    static func byGroup(
        _ kind: Kind, _ name: String, _ help: String,
        _ value: @escaping @Sendable (SidecarStatistics.Group) -> Int
    ) -> Metric {
        Metric(name: name, kind: kind, labels: [group], help: help) { statistics in
            statistics.groups.map { Sample(labels: [("group", $0.name)], value: Double(value($0))) }
        }
    }

    /// A metric with a value for each group and for each of what a second label tells apart.
    static func byGroup(
        _ kind: Kind, _ name: String, _ label: String, _ help: String,
        _ parts: [Part<SidecarStatistics.Group>]
    ) -> Metric {
        let labels = [group, (label, parts.map { "`\($0.value)`" }.joined(separator: ", "))]
        return Metric(name: name, kind: kind, labels: labels, help: help) { statistics in
            statistics.groups.flatMap { group in
                parts.map { part in
                    Sample(labels: [("group", group.name), (label, part.value)], value: Double(part.figure(group)))
                }
            }
        }
    }

    /// A metric with 1 for each group that is among some, and 0 for the others.
    static func membership(
        _ name: String, _ help: String, _ members: @escaping @Sendable (SidecarStatistics) -> [String]
    ) -> Metric {
        Metric(name: name, kind: .gauge, labels: [group], help: help) { statistics in
            let members = Set(members(statistics))
            return statistics.groups.map {
                Sample(labels: [("group", $0.name)], value: members.contains($0.name) ? 1 : 0)
            }
        }
    }

    /// A metric with a value for each of what a label tells apart.
    static func byLabel(
        _ kind: Kind, _ name: String, _ label: String, _ help: String,
        _ parts: [Part<SidecarStatistics>]
    ) -> Metric {
        let labels = [(label, parts.map { "`\($0.value)`" }.joined(separator: ", "))]
        return Metric(name: name, kind: kind, labels: labels, help: help) { statistics in
            parts.map { Sample(labels: [(label, $0.value)], value: Double($0.figure(statistics))) }
        }
    }

    private static let group = (name: "group", values: "the group's name")
}
