import CLinux
import Glibc

/// The machine code of the program and its libraries, as far as the process holds pages of it.
enum ProgramText {
    /// Gives back all pages. Those that are used again come back from the kernel's file cache, some at a time, at a
    /// microsecond or so.
    ///
    /// Most of what was run until now is run only once: reading settings, making log lines, the dynamic linker's look at
    /// libraries that libpq wants for what few use. Only serving is what the process should be seen to hold.
    ///
    /// Nothing is lost, as these segments are executed and never written to: they are the same as their files. (But for a
    /// debugger's breakpoints, which stand in copies of their own.) No library comes or goes meanwhile.
    static func release() {
        pgs_for_each_object { object, _, _ in
            guard let object = object?.pointee, let headers = object.headers else { return 0 }
            for header in UnsafeBufferPointer(start: headers, count: Int(object.header_count)) {
                guard header.p_type == pgs_pt_load, header.p_flags & pgs_pf_x != 0, header.p_flags & pgs_pf_w == 0
                else { continue }
                // Whole pages only: a neighbouring segment may share the first and the last one.
                let pageSize = UInt(sysconf(Int32(_SC_PAGESIZE)))
                let start = (object.address + UInt(header.p_vaddr) + pageSize - 1) & ~(pageSize - 1)
                let end = (object.address + UInt(header.p_vaddr + header.p_filesz)) & ~(pageSize - 1)
                if start < end { madvise(UnsafeMutableRawPointer(bitPattern: start), Int(end - start), MADV_DONTNEED) }
            }
            return 0
        }
    }
}
