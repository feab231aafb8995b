/// A piece of HTML. What is interpolated into it is text, and has its special characters escaped, unless it is HTML itself.
package struct HTML: Sendable, Equatable, ExpressibleByStringInterpolation {
    /// The source.
    package private(set) var text: String

    /// HTML as it is written in the program.
    package init(stringLiteral text: String) { self.text = text }

    /// HTML that holds nothing from outside, or only what was escaped.
    package init(trusted text: String) { self.text = text }

    package init(stringInterpolation interpolation: StringInterpolation) { text = interpolation.text }

    /// Puts literals and what is interpolated together.
    package struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var text = ""

        package init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(literalCapacity) }

        package mutating func appendLiteral(_ literal: String) { text += literal }

        /// Pieces of HTML, one after the other.
        package mutating func appendInterpolation(_ pieces: HTML...) {
            for piece in pieces { text += piece.text }
        }

        /// Pieces of HTML, one after the other.
        package mutating func appendInterpolation(_ pieces: [HTML]) {
            for piece in pieces { text += piece.text }
        }

        /// Text, in which nothing is an element, an entity, or the end of an attribute.
        package mutating func appendInterpolation(_ plain: String) {
            for character in plain.unicodeScalars {
                switch character {
                case "&": text += "&amp;"
                case "<": text += "&lt;"
                case ">": text += "&gt;"
                case "\"": text += "&quot;"
                case "'": text += "&#39;"
                default: text.unicodeScalars.append(character)
                }
            }
        }

        /// A number.
        package mutating func appendInterpolation(_ number: Int) { text += String(number) }
    }
}
