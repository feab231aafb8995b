import Admin
import Machine

// Values that mean something to the operating system.

extension ValueType<String> {
    /// A path that fits into `sockaddr_un`, whose 108 bytes end with a NUL.
    static let socketPath = ValueType(
        expects: "a path of at most 107 bytes",
        parse: { text throws(WrongValue) in
            let path = try ValueType.text.parse(text)
            guard path.utf8.count <= 107 else {
                throw WrongValue(why: "is \(path.utf8.count) bytes long; a socket's path has at most 107")
            }
            return path
        },
        render: { $0 }
    )
}

extension ValueType<AdminAddress> {
    /// Where HTTP is served.
    static let adminAddress = ValueType(
        expects: "an address and a port, such as 127.0.0.1:9187 or [::1]:9187, or unix: and a path",
        parse: { text throws(WrongValue) in
            guard let address = AdminAddress(text) else {
                throw WrongValue(
                    why: "is no address; write 127.0.0.1:9187, [::1]:9187 or unix:/run/pgsidecar/admin.sock")
            }
            return address
        },
        render: { $0.description }
    )
}

extension ValueType<UInt32> {
    /// Permission bits in octal digits.
    static let fileMode = ValueType(
        expects: "octal permission bits, such as \"0660\"",
        parse: { text throws(WrongValue) in
            guard let mode = UInt32(text, radix: 8), mode <= 0o777 else {
                throw WrongValue(why: "is not a file mode; write octal digits such as \"0660\"")
            }
            return mode
        },
        render: { "\"0\(String($0, radix: 8))\"" }
    )

    /// A user's name or id, as the id.
    static let unixUser = ValueType(
        expects: "a user's name or id",
        parse: { text throws(WrongValue) in
            if let id = UInt32(text) { return id }
            guard let id = userIdentifier(named: text) else {
                throw WrongValue(why: "is no user of this machine; write a name from `getent passwd`, or an id")
            }
            return id
        },
        render: { String($0) }
    )

    /// A Unix group's name or id, as the id.
    static let unixGroup = ValueType(
        expects: "a Unix group's name or id",
        parse: { text throws(WrongValue) in
            if let id = UInt32(text) { return id }
            guard let id = groupIdentifier(named: text) else {
                throw WrongValue(why: "is no group of this machine; write a name from `getent group`, or an id")
            }
            return id
        },
        render: { String($0) }
    )
}
