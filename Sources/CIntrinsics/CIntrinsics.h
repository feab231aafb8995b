// Processor instructions that Swift has no word for. No logic.
#pragma once

// Asks the processor to bring a cache line nearer. A hint: it never faults, and nothing depends on it.
static inline void pgs_prefetch(const void *address) { __builtin_prefetch(address, 0, 3); }
