/// What a command takes behind its name, as documentation writes it: `cursor [MATCH pattern] [COUNT count]`.
///
/// A word in capitals is sent as it is, others stand for a value; `a|b` is one of several, `[...]` may be left out, and
/// `...` repeats what stands before it. Everything that Redis tells about arguments follows from this one text.
struct CommandSyntax: Sendable {
    /// One argument, or several that belong together.
    struct Argument: Sendable, Equatable {
        enum Kind: Sendable, Equatable {
            case value
            /// A word that is sent as it is.
            case token
            case oneOf([Argument])
            case block([Argument])
        }

        var name: String
        var kind: Kind
        /// The word that stands before the value.
        var token: String?
        var isOptional = false
        var isMultiple = false
    }

    /// How many words a request has, the name included.
    struct Arity: BitwiseCopyable, Sendable {
        let least: Int
        let most: Int

        /// As Redis counts: so many words exactly, or when negative, so many at least.
        var number: Int { most == .max ? -least : least }

        /// Whether a request of so many words can be right.
        func accepts(_ count: Int) -> Bool { least <= count && count <= most }
    }

    let text: String
    let arguments: [Argument]
    let arity: Arity

    /// The syntax behind so many words, which are a command's name, or with 2 its subcommand's too.
    init(_ text: String, behind words: Int = 1) {
        self.text = text
        var parser = Parser(text)
        arguments = parser.arguments(until: nil)
        let least = words + Self.least(of: arguments)
        arity = Arity(least: least, most: arguments.contains { $0.isOptional || $0.isMultiple } ? .max : least)
    }

    /// The name in capitals and what follows it.
    func line(after name: String) -> String { text.isEmpty ? name.uppercased() : "\(name.uppercased()) \(text)" }

    private static func least(of arguments: [Argument]) -> Int {
        arguments.filter { !$0.isOptional }.reduce(0) { $0 + words(of: $1) }
    }

    private static func words(of argument: Argument) -> Int {
        let token = argument.token == nil ? 0 : 1
        switch argument.kind {
        case .token: return 1
        case .value: return token + 1
        case .oneOf(let choices): return token + (choices.map(words).min() ?? 1)
        case .block(let parts): return token + least(of: parts)
        }
    }

    private struct Parser {
        private var words: ArraySlice<Substring>

        init(_ text: String) {
            let spaced = text.replacing("[", with: "[ ").replacing("]", with: " ]")
            words = spaced.split(separator: " ")[...]
        }

        /// The arguments up to the word `end`, which is taken too.
        mutating func arguments(until end: Substring?) -> [Argument] {
            var arguments: [Argument] = []
            while let word = words.popFirst(), word != end {
                if word == "..." {
                    // Of `key [key ...]` only the first is one of its own.
                    if let last = arguments.popLast() { arguments.append(last.multiple) }
                } else if word == "[" {
                    let inner = Self.joined(self.arguments(until: "]"))
                    if let last = arguments.last, inner.isMultiple, inner.name == last.name {
                        arguments[arguments.count - 1] = last.multiple
                    } else {
                        arguments.append(inner.optional)
                    }
                } else {
                    arguments.append(Self.argument(word))
                }
            }
            return arguments
        }

        private static func argument(_ word: Substring) -> Argument {
            let choices = word.split(separator: "|")
            if choices.count > 1 {
                return Argument(name: word.lowercased(), kind: .oneOf(choices.map { argument($0) }))
            }
            let isToken = word.allSatisfy { !$0.isLowercase } && word.contains { $0.isUppercase }
            return isToken
                ? Argument(name: word.lowercased(), kind: .token, token: String(word))
                : Argument(name: String(word), kind: .value)
        }

        /// Several arguments as one. A word with one value behind it is that value's token.
        private static func joined(_ arguments: [Argument]) -> Argument {
            guard let first = arguments.first, arguments.count > 1 else {
                return arguments.first ?? Argument(name: "", kind: .value)
            }
            guard first.kind == .token, first.token != nil else {
                return Argument(name: first.name, kind: .block(arguments))
            }
            if arguments.count == 2, arguments[1].kind == .value, !arguments[1].isOptional {
                var value = arguments[1]
                value.token = first.token
                return value
            }
            return Argument(name: first.name, kind: .block(Array(arguments[1...])), token: first.token)
        }
    }
}

extension CommandSyntax.Argument {
    fileprivate var multiple: Self {
        var copy = self
        copy.isMultiple = true
        return copy
    }

    fileprivate var optional: Self {
        var copy = self
        copy.isOptional = true
        return copy
    }
}
