package import Glibc

/// The id of a user, from the machine's user database; nil when there is none of that name.
package func userIdentifier(named name: String) -> uid_t? {
    var entry = passwd()
    var found: UnsafeMutablePointer<passwd>?
    // The buffer holds the entry's texts, which aren't used; 64 KiB is more than any entry has.
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1 << 16) { buffer in
        guard let texts = buffer.baseAddress else { return nil }
        let failure = getpwnam_r(name, &entry, texts, buffer.count, &found)
        return failure == 0 && found != nil ? entry.pw_uid : nil
    }
}

/// The id of a Unix group, from the machine's group database; nil when there is none of that name.
package func groupIdentifier(named name: String) -> gid_t? {
    var entry = group()
    var found: UnsafeMutablePointer<group>?
    // The buffer holds the members' names, which aren't used; a group of more than 1 MiB of them isn't found.
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1 << 20) { buffer in
        guard let texts = buffer.baseAddress else { return nil }
        let failure = getgrnam_r(name, &entry, texts, buffer.count, &found)
        return failure == 0 && found != nil ? entry.gr_gid : nil
    }
}
