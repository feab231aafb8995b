import Groundwork
import Postgres

/// How a kind of value is written in a settings file.
struct ValueType<Value: Sendable>: Sendable {
    /// What a right value looks like, for the reference: `a duration, such as 500ms, 60s, 10m, 1h or 7d`.
    let expects: String
    /// The value that a text stands for; throws what is wrong with it.
    let parse: @Sendable (String) throws(WrongValue) -> Value
    /// The text that stands for a value; nil when it has none, which is how an absent one is told.
    let render: @Sendable (Value) -> String?
    /// Whether the text may hold a credential, so that a mistake does not quote it.
    var isSecret = false

    /// The same, where the key may be absent.
    var optional: ValueType<Value?> {
        ValueType<Value?>(
            expects: expects,
            parse: { text throws(WrongValue) in try parse(text) },
            render: { value in value.flatMap(render) },
            isSecret: isSecret
        )
    }
}

extension ValueType<String> {
    static let text = ValueType(
        expects: "text",
        parse: { text throws(WrongValue) in
            guard !text.isEmpty else { throw WrongValue(why: "is empty") }
            guard !text.utf8.contains(0) else { throw WrongValue(why: "contains a NUL byte") }
            return text
        },
        render: { $0.isEmpty ? nil : $0 }
    )
}

extension ValueType<Secret> {
    static let secret = ValueType(
        expects: "text, best from the environment: ${NAME}",
        parse: { text throws(WrongValue) in Secret(try ValueType<String>.text.parse(text)) },
        render: { _ in "..." },
        isSecret: true
    )

    /// What libpq connects by. That it can be read is all that is seen here: hosts and files may come later.
    static let connectionString = ValueType(
        expects: "a connection URL or string that libpq takes",
        parse: { text throws(WrongValue) in
            let url = try ValueType<String>.text.parse(text)
            guard DatabaseSettings.isConnectionString(url) else {
                throw WrongValue(
                    why: "is not a connection string that libpq understands; "
                        + "write one such as postgresql://app@db/app or 'host=db dbname=app', "
                        + "and a password with other signs than letters and digits in `database.password`")
            }
            guard !hasStrayAt(url) else {
                throw WrongValue(
                    why: "has a second '@' before the database's name, so libpq takes the rest of the password for a "
                        + "host; write the password in `database.password`, or its '@' as %40")
            }
            return Secret(url)
        },
        render: { _ in "..." },
        isSecret: true
    )

    /// Whether a URL's user, password and hosts have more than one `@`: libpq takes the first for the end of the password.
    private static func hasStrayAt(_ url: String) -> Bool {
        guard let scheme = url.firstRange(of: "://") else { return false }
        return url[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" }.count { $0 == "@" } > 1
    }
}

extension ValueType<Bool> {
    static let onOff = ValueType(
        expects: "on or off",
        parse: { text throws(WrongValue) in
            switch text.lowercased() {
            case "on", "true", "yes": return true
            case "off", "false", "no": return false
            default: throw WrongValue(why: "is neither on nor off")
            }
        },
        render: { $0 ? "on" : "off" }
    )
}

extension ValueType where Value: CaseIterable & RawRepresentable<String> {
    /// One of an enumeration's names.
    static var choice: ValueType {
        let names = Value.allCases.map(\.rawValue)
        return ValueType(
            expects: "one of \(names.joined(separator: ", "))",
            parse: { text throws(WrongValue) in
                if let value = Value(rawValue: text) { return value }
                let guess = nearestName(to: text, among: names).map { "; did you mean '\($0)'?" } ?? ""
                throw WrongValue(why: "is not one of \(names.joined(separator: ", "))\(guess)")
            },
            render: { $0.rawValue }
        )
    }
}

extension ValueType<Int> {
    /// A whole number within a range.
    static func count(_ range: ClosedRange<Int>) -> ValueType {
        ValueType(
            expects: "a whole number, \(range.lowerBound) to \(range.upperBound)",
            parse: { text throws(WrongValue) in
                guard let number = Quantity(text), number.unit.isEmpty else {
                    throw WrongValue(
                        why: "is not a whole number; write one from \(range.lowerBound) to \(range.upperBound)")
                }
                guard range.contains(number.count) else {
                    throw WrongValue(why: "is out of range; write \(range.lowerBound) to \(range.upperBound)")
                }
                return number.count
            },
            render: { String($0) }
        )
    }

    /// A number of bytes within a range.
    static func bytes(_ range: ClosedRange<Int>) -> ValueType {
        let units = ByteUnit.all
        return ValueType(
            expects: "a size, such as 64KiB, 256MiB or 1GiB (MB and such count in thousands)",
            parse: { text throws(WrongValue) in
                let size = try units.value(of: text, what: "a size", examples: "64KiB, 256MiB or 1GiB")
                guard range.contains(size) else {
                    throw WrongValue(
                        why: "is out of range; write \(units.text(range.lowerBound)) to \(units.text(range.upperBound))"
                    )
                }
                return size
            },
            render: { units.text($0) }
        )
    }

    /// A number of bytes within a range; without one it is as many as there are.
    static func share(_ range: ClosedRange<Int>) -> ValueType {
        let bytes = bytes(range)
        return ValueType(expects: bytes.expects, parse: bytes.parse, render: { $0 == .max ? nil : bytes.render($0) })
    }
}

extension ValueType<Duration> {
    /// A length of time within a range; the default range is 0 to ten years.
    static func duration(
        from least: Duration = .zero, to most: Duration = .seconds(10 * 365 * 86_400)
    ) -> ValueType {
        let units = TimeUnit.all
        return ValueType(
            expects: "a duration, such as 500ms, 60s, 10m, 1h or 7d",
            parse: { text throws(WrongValue) in
                let count = try units.value(of: text, what: "a duration", examples: "500ms, 60s, 10m, 1h or 7d")
                let value = Duration.milliseconds(count)
                guard value >= least, value <= most else {
                    let (low, high) = (units.text(least.wholeMilliseconds), units.text(most.wholeMilliseconds))
                    throw WrongValue(why: "is out of range; write \(low) to \(high)")
                }
                return value
            },
            render: { units.text($0.wholeMilliseconds) }
        )
    }
}

extension ValueType<Duration?> {
    /// A length of time, of which zero means none.
    static let durationUnlessZero = {
        let duration = ValueType<Duration>.duration()
        return ValueType(
            expects: duration.expects,
            parse: { text throws(WrongValue) in
                let value = try duration.parse(text)
                return value > .zero ? value : nil
            },
            render: { duration.render($0 ?? .zero) }
        )
    }()
}

extension ValueType<Double> {
    /// A share of the whole, written in percent; 10% is 0.1.
    static let percent = ValueType(
        expects: "a percentage, 0% to 100%",
        parse: { text throws(WrongValue) in
            guard let number = Quantity(text), number.unit == "%", number.count <= 100 else {
                throw WrongValue(why: "is not a percentage; write 0% to 100%")
            }
            return Double(number.count) / 100
        },
        render: { "\(Int(($0 * 100).rounded()))%" }
    )

    /// The same to a thousandth of a percent; 0.1% is 0.001.
    static let exactPercent = ValueType(
        expects: "a percentage, 0% to 100%, such as 0.1%",
        parse: { text throws(WrongValue) in
            let parts = text.dropLast().split(separator: ".", omittingEmptySubsequences: false)
            let isNumber = parts.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }
            guard text.hasSuffix("%"), isNumber, parts.count <= 2, parts.last?.count ?? 0 <= 3 || parts.count == 1,
                let percent = Double(text.dropLast()), percent <= 100
            else { throw WrongValue(why: "is not a percentage; write 0% to 100%, such as 0.1%") }
            return percent / 100
        },
        render: { share in
            let thousandths = Int((share * 100_000).rounded())
            var decimals = "\(1000 + thousandths % 1000)".dropFirst()
            while decimals.last == "0" { decimals.removeLast() }
            return "\(thousandths / 1000)\(decimals.isEmpty ? "" : ".")\(decimals)%"
        }
    )
}
