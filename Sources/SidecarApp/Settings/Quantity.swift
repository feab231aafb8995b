/// A whole number and the letters after it: `60s`, `256MiB`, `10%`, `8`.
struct Quantity {
    let count: Int
    let unit: String

    /// Nil when the text doesn't begin with a digit, or the number is beyond Int.
    init?(_ text: String) {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let count = Int(digits) else { return nil }
        self.count = count
        unit = String(text.dropFirst(digits.count))
    }
}

/// A unit and what one of it is in the smallest.
struct Unit: Sendable {
    let name: String
    let size: Int
    /// How many there must be of it before a text uses it: 60s reads better than 1m, 1MiB better than 1024KiB.
    var least = 1
    /// Whether a text uses it at all.
    var isUsual = true
}

/// Milliseconds and what is made of them.
enum TimeUnit {
    static let all = [
        Unit(name: "ms", size: 1),
        Unit(name: "s", size: 1000),
        Unit(name: "m", size: 60_000, least: 2),
        Unit(name: "h", size: 3_600_000),
        Unit(name: "d", size: 86_400_000, least: 2),
    ]
}

/// Bytes and what is made of them, in powers of 1024 (IEC 80000-13) and of 1000 (SI).
enum ByteUnit {
    static let all = [
        Unit(name: "B", size: 1),
        Unit(name: "KB", size: 1000, isUsual: false),
        Unit(name: "KiB", size: 1 << 10),
        Unit(name: "MB", size: 1_000_000, isUsual: false),
        Unit(name: "MiB", size: 1 << 20),
        Unit(name: "GB", size: 1_000_000_000, isUsual: false),
        Unit(name: "GiB", size: 1 << 30),
        Unit(name: "TB", size: 1_000_000_000_000, isUsual: false),
        Unit(name: "TiB", size: 1 << 40),
    ]
}

extension [Unit] {
    /// The amount that a text stands for, in the smallest unit. Only zero needs no unit.
    func value(of text: String, what: String, examples: String) throws(WrongValue) -> Int {
        guard let quantity = Quantity(text) else {
            throw WrongValue(why: "is not \(what); write one such as \(examples)")
        }
        if quantity.unit.isEmpty, quantity.count == 0 { return 0 }
        guard !quantity.unit.isEmpty else {
            throw WrongValue(why: "needs a unit; write \(what) such as \(examples)")
        }
        guard let unit = first(where: { $0.name.lowercased() == quantity.unit.lowercased() }) else {
            let names = map(\.name).joined(separator: ", ")
            throw WrongValue(why: "has the unknown unit '\(quantity.unit)'; the units are \(names)")
        }
        let (amount, overflow) = quantity.count.multipliedReportingOverflow(by: unit.size)
        guard !overflow else { throw WrongValue(why: "is too large") }
        return amount
    }

    /// The text that people would write for an amount of the smallest unit.
    func text(_ amount: Int) -> String {
        let fitting = last { $0.isUsual && amount >= $0.size * $0.least && amount.isMultiple(of: $0.size) }
        guard amount != 0, let fitting else { return "0" }
        return "\(amount / fitting.size)\(fitting.name)"
    }
}

extension Duration {
    /// The whole milliseconds, rounded down.
    var wholeMilliseconds: Int {
        Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }
}
