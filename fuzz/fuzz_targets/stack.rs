//! Any bytes as stack.yaml: read, merged, filled in, checked, and what is wrong drawn.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    motif::fuzzing::stack(bytes);
});
