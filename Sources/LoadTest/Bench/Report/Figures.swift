/// Figures as people read them.
enum Figures {
    /// A time in microseconds, with three digits and its unit: `412 us`, `1.25 ms`.
    static func time(_ microseconds: Double) -> String {
        switch microseconds {
        case ..<999.5: "\(threeDigits(microseconds)) us"
        case ..<999_500: "\(threeDigits(microseconds / 1000)) ms"
        default: "\(threeDigits(microseconds / 1_000_000)) s"
        }
    }

    /// A number without a fraction that says nothing: `5`, `2.5`.
    static func short(_ number: Double) -> String {
        let whole = number.rounded()
        if abs(number - whole) < 0.005 { return Int(clamping: Int64(whole)).grouped }
        return fixed(number, 2)
    }

    /// With so many digits behind the point.
    static func fixed(_ number: Double, _ digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = Int64((abs(number) * scale).rounded())
        let sign = number < 0 && scaled > 0 ? "-" : ""
        guard digits > 0 else { return "\(sign)\(scaled)" }
        let fraction = "\(scaled % Int64(scale))"
        return "\(sign)\(scaled / Int64(scale))." + String(repeating: "0", count: digits - fraction.count) + fraction
    }

    private static func threeDigits(_ number: Double) -> String {
        fixed(number, number < 9.995 ? 2 : number < 99.95 ? 1 : 0)
    }
}

extension Int {
    /// With commas between thousands: `118,204`.
    var grouped: String {
        var text = ""
        for (index, digit) in "\(magnitude)".reversed().enumerated() {
            if index > 0, index % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return (self < 0 ? "-" : "") + String(text.reversed())
    }
}
