import Glibc

/// Whether the thread sanitizer watches this process: then all takes ten times as long, and each page has memory of its own beside it.
package let isUnderThreadSanitizer = dlsym(nil, "__tsan_init") != nil
