import CLibYAML

extension Node {
    /// The document that a text holds; nil when it holds nothing but comments.
    ///
    /// - Throws: ``YAMLError`` when the text is not YAML, has several documents, or a mapping has a key twice.
    public static func parse(_ text: String) throws(YAMLError) -> Node? {
        // The parser holds pointers into itself and to the text's bytes, so both stay where they are meanwhile.
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        defer { parser.deallocate() }
        guard yaml_parser_initialize(parser) == 1 else { throw YAMLError(problem: "out of memory", mark: nil) }
        defer { yaml_parser_delete(parser) }
        let bytes = Array(text.utf8)
        return try bytes.withUnsafeBufferPointer { bytes throws(YAMLError) in
            yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
            var composer = Composer(parser)
            return try composer.document()
        }
    }
}

/// Makes a tree of the parser's events.
private struct Composer {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    /// What an alias (`*name`) stands for.
    private var anchors: [String: Node] = [:]
    /// Nodes so far, with those that aliases repeat: a short text could stand for more than there is memory.
    private var count = 0

    private static let mostNodes = 1_000_000
    /// How many nodes are in one another here. Each is a call within a call, and the stack has an end.
    private var depth = 0
    private static let mostDepth = 64

    init(_ parser: UnsafeMutablePointer<yaml_parser_t>) {
        self.parser = parser
    }

    mutating func document() throws(YAMLError) -> Node? {
        var root: Node?
        while true {
            let event = try next()
            switch event.kind {
            case .streamStart, .documentEnd: break
            case .documentStart:
                if root != nil { throw YAMLError(problem: "a second document begins here; keep one", mark: event.mark) }
                root = try node(try next())
            case .streamEnd: return root
            case .alias, .scalar, .sequenceStart, .sequenceEnd, .mappingStart, .mappingEnd: break
            }
        }
    }

    private mutating func node(_ event: Event) throws(YAMLError) -> Node {
        count += 1
        guard count <= Self.mostNodes else {
            throw YAMLError(problem: "the text stands for too much", mark: event.mark)
        }
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.mostDepth else {
            throw YAMLError(problem: "more than \(Self.mostDepth) sections in one another", mark: event.mark)
        }
        let start = count
        let node: Node
        switch event.kind {
        case .scalar(let string, let style):
            node = .scalar(Scalar(string: string, style: style, mark: event.mark))
        case .sequenceStart:
            var values: [Node] = []
            while true {
                let event = try next()
                if case .sequenceEnd = event.kind { break }
                values.append(try self.node(event))
            }
            node = .sequence(values, event.mark)
        case .mappingStart:
            node = .mapping(try pairs(), event.mark)
        case .alias(let name):
            guard let (known, size) = anchors[name].map({ ($0, sizes[name] ?? 1) }) else {
                throw YAMLError(problem: "'*\(name)' is an alias of nothing", mark: event.mark)
            }
            count += size
            return known
        case .streamStart, .streamEnd, .documentStart, .documentEnd, .sequenceEnd, .mappingEnd:
            throw YAMLError(problem: "a value is missing", mark: event.mark)
        }
        if let anchor = event.anchor {
            anchors[anchor] = node
            sizes[anchor] = count - start + 1
        }
        return node
    }

    /// How many nodes an anchor's value has.
    private var sizes: [String: Int] = [:]

    private mutating func pairs() throws(YAMLError) -> [(key: Node, value: Node)] {
        var pairs: [(key: Node, value: Node)] = []
        var lines: [String: Int] = [:]
        while true {
            let event = try next()
            if case .mappingEnd = event.kind { return pairs }
            let key = try node(event)
            if case .scalar(let scalar) = key, let line = lines.updateValue(scalar.mark.line, forKey: scalar.string) {
                throw YAMLError(
                    problem:
                        "'\(scalar.string)' stands more than once in the same section, first in line \(line); keep one",
                    mark: scalar.mark)
            }
            pairs.append((key, try node(try next())))
        }
    }

    private func next() throws(YAMLError) -> Event {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw YAMLError(parser.pointee) }
        defer { yaml_event_delete(&event) }
        return Event(event)
    }
}

/// What the parser found, in Swift's types.
private struct Event {
    enum Kind {
        case streamStart
        case streamEnd
        case documentStart
        case documentEnd
        case alias(String)
        case scalar(String, Scalar.Style)
        case sequenceStart
        case sequenceEnd
        case mappingStart
        case mappingEnd
    }

    let kind: Kind
    let anchor: String?
    let mark: Mark

    init(_ event: yaml_event_t) {
        mark = Mark(event.start_mark)
        switch event.type {
        case YAML_STREAM_START_EVENT, YAML_NO_EVENT: (kind, anchor) = (.streamStart, nil)
        case YAML_DOCUMENT_START_EVENT: (kind, anchor) = (.documentStart, nil)
        case YAML_DOCUMENT_END_EVENT: (kind, anchor) = (.documentEnd, nil)
        case YAML_ALIAS_EVENT: (kind, anchor) = (.alias(Self.text(event.data.alias.anchor) ?? ""), nil)
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            kind = .scalar(String(decoding: bytes, as: UTF8.self), Scalar.Style(scalar.style))
            anchor = Self.text(scalar.anchor)
        case YAML_SEQUENCE_START_EVENT: (kind, anchor) = (.sequenceStart, Self.text(event.data.sequence_start.anchor))
        case YAML_SEQUENCE_END_EVENT: (kind, anchor) = (.sequenceEnd, nil)
        case YAML_MAPPING_START_EVENT: (kind, anchor) = (.mappingStart, Self.text(event.data.mapping_start.anchor))
        case YAML_MAPPING_END_EVENT: (kind, anchor) = (.mappingEnd, nil)
        default: (kind, anchor) = (.streamEnd, nil)
        }
    }

    private static func text(_ name: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        name.map { String(cString: $0) }
    }
}

extension Scalar.Style {
    fileprivate init(_ style: yaml_scalar_style_t) {
        switch style {
        case YAML_SINGLE_QUOTED_SCALAR_STYLE, YAML_DOUBLE_QUOTED_SCALAR_STYLE: self = .quoted
        case YAML_LITERAL_SCALAR_STYLE: self = .literal
        case YAML_FOLDED_SCALAR_STYLE: self = .folded
        default: self = .plain
        }
    }
}

extension Mark {
    fileprivate init(_ mark: yaml_mark_t) {
        self.init(line: Int(mark.line) + 1, column: Int(mark.column) + 1)
    }
}

extension YAMLError {
    /// What the parser says of where it stopped.
    fileprivate init(_ parser: yaml_parser_t) {
        let problem = parser.problem.map { String(cString: $0) } ?? "out of memory"
        switch parser.error {
        case YAML_SCANNER_ERROR, YAML_PARSER_ERROR, YAML_COMPOSER_ERROR:
            let about = parser.context.map { " (\(String(cString: $0)) in line \(parser.context_mark.line + 1))" } ?? ""
            self.init(problem: problem + about, mark: Mark(parser.problem_mark))
        default: self.init(problem: problem, mark: nil)
        }
    }
}
